// Python functions of the BSON decoder in barewire._core.
#pragma once

#include "bind/state.h"

namespace barewire::bind {

// Adds decode, decode_all, is_valid and the functions that bson's C module has for raw documents.
bool add_codec_decode(PyObject* module, ModuleState& state);

}  // namespace barewire::bind
