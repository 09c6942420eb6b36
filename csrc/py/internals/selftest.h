// Import-time proof that the private dict layout compiled in is the one of the running interpreter.
#pragma once

#include "py/ref.h"

namespace barewire::py {

// Walks small, large, mixed-key, deleted-slot and split dicts by PyDict_Next and by the tables; the first difference
// leaves `dict_tables_verified` off. False only with a Python error set (out of memory).
[[nodiscard]] bool verify_internals();

// Which paths are on: {"dict": "3.11" | "3.10" | "public", "dict_tables": bool, "text": ..., "integer": ...}.
Ref describe_internals();

}  // namespace barewire::py
