// Python objects -> JSON text, as json.dumps spells it; whatever is unusual is left to json.dumps itself.
#pragma once

#include "py/python.h"
#include "walk/pg_encoder.h"

namespace barewire::walk {

enum class JsonWritten {
    written,
    unusual,  // no error is set, nothing was appended: json.dumps knows what to do (or to raise)
    failed    // Python error set: out of memory
};

// Appends dicts with str as keys, lists, tuples, str, int, finite floats, bools and None, all of exactly these classes. Runs no
// user code.
[[nodiscard]] JsonWritten write_json(PgEncoder& encoder, PyObject* value);

}  // namespace barewire::walk
