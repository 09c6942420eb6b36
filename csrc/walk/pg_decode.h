// The binary form of a PostgreSQL value -> Python object; no Python-visible functions here.
#pragma once

#include <cstddef>
#include <cstdint>

#include "py/python.h"
#include "py/ref.h"
#include "walk/pg_kinds.h"
#include "walk/pg_settings.h"
#include "walk/pg_types.h"

namespace barewire::walk {

struct PgDecoding {
    PgKinds& kinds;
    const PgTypes& types;
    const PgSettings& settings;
};

// The value of the `size` bytes at `data` (not NULL), as psycopg's binary loaders give it. The bytes may be foreign: every
// length is checked. Empty with psycopg.DataError set for malformed bytes and for values that Python cannot hold.
py::Ref pg_decode(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size);

// The value of a text-format field; by psycopg's own text loaders except for text itself.
py::Ref pg_decode_text(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size);

}  // namespace barewire::walk
