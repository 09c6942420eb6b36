// barewire._core.PgTogether: a blocking caller drives several connections at once, on its own thread.
#pragma once

#include "bind/state.h"
#include "py/python.h"

namespace barewire::bind {

[[nodiscard]] bool add_pg_together(PyObject* module, ModuleState& state);

}  // namespace barewire::bind
