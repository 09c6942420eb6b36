// JSON text -> Python objects, as json.loads gives them; whatever is unusual is left to json.loads itself.
#pragma once

#include <cstddef>
#include <cstdint>

#include "py/python.h"
#include "walk/decode_cache.h"

namespace barewire::walk {

enum class JsonOutcome {
    parsed,
    unusual,  // no error is set: json.loads knows what to do (or to raise)
    failed    // Python error set: out of memory
};

// Parses exactly one document of UTF-8. Runs no user code. `result` becomes a new reference.
[[nodiscard]] JsonOutcome parse_json(DecodeCache& cache, const std::uint8_t* data, std::size_t size, PyObject*& result);

}  // namespace barewire::walk
