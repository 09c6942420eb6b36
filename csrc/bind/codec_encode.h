// Registration of the encoding functions of barewire._core.
#pragma once

#include "bind/state.h"
#include "py/python.h"

namespace barewire::bind {

[[nodiscard]] bool add_codec_encode(PyObject* module, ModuleState& state);

}  // namespace barewire::bind
