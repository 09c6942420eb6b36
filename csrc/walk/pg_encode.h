// Python value -> the binary form of its PostgreSQL type; no Python-visible functions here.
#pragma once

#include <cstddef>

#include "base/buffer.h"
#include "py/python.h"
#include "walk/pg_kinds.h"
#include "walk/pg_settings.h"
#include "walk/pg_types.h"

namespace barewire::walk {

struct PgEncoding {
    PgKinds& kinds;
    const PgTypes& types;
    const PgSettings& settings;
};

// Where a value came from; prefix of the messages of its errors ("$1[3].price: ...").
struct PgOrigin {
    long long row = -1;              // position among the rows, from 0; negative: there are no rows
    std::size_t parameter = 0;       // from 1; 0: none
    PyObject* column = nullptr;      // str, borrowed; nullptr: none
};

// Appends the value without a length prefix. `value` is not None (that is NULL, the caller's business). A type whose
// `binary` is false gets its text form. False with psycopg.DataError (or what user code raised, with a note of the place
// since Python 3.11) set; `out` then has the size it had.
[[nodiscard]] bool pg_encode(PgEncoding& encoding, const PgType& type, PyObject* value, base::Buffer& out,
                             const PgOrigin& origin = {});

// Appends int32 length and value; None becomes the length -1.
[[nodiscard]] bool pg_encode_field(PgEncoding& encoding, const PgType& type, PyObject* value, base::Buffer& out,
                                   const PgOrigin& origin = {});

// The same for `count` values one after the other, all of types with a binary form; an error names the parameter.
[[nodiscard]] bool pg_encode_fields(PgEncoding& encoding, const PgType* const* types, PyObject* const* values,
                                    std::size_t count, base::Buffer& out, PgOrigin origin = {});

}  // namespace barewire::walk
