// Reading one PostgreSQL value, shared by the files that read them; it has no public use.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/macros.h"
#include "base/status.h"
#include "py/python.h"
#include "walk/pg_decode.h"
#include "wire/pg/reader.h"

namespace barewire::walk {

// Every function returns a new reference, or nullptr with a Python error set. `data` is not NULL, its `size` not checked.

// Any type.
PyObject* read_pg_value(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size);
// The same; None for NULL.
PyObject* read_pg_field(PgDecoding& decoding, const PgType& type, const wire::pg::Field& field);

PyObject* read_pg_numeric(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size);
PyObject* read_pg_money(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size);
PyObject* read_pg_text(PgDecoding& decoding, const std::uint8_t* data, std::size_t size);
PyObject* read_pg_enumeration(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size);
PyObject* read_pg_json(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size);
// JSON as text, without a version byte.
PyObject* read_pg_json_text(PgDecoding& decoding, const std::uint8_t* data, std::size_t size);
PyObject* read_pg_date(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size);
PyObject* read_pg_time(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size);
PyObject* read_pg_timestamp(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size);
PyObject* read_pg_interval(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size);
PyObject* read_pg_uuid(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size);
PyObject* read_pg_network(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size);
PyObject* read_pg_spelled(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size);
PyObject* read_pg_array(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size);
PyObject* read_pg_range(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size);
PyObject* read_pg_multirange(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size);
PyObject* read_pg_composite(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size);
PyObject* read_pg_hstore(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size);

// A psycopg Range; `inclusive` has bit 0 for the lower and bit 1 for the upper bound. None is no bound, and never inclusive.
PyObject* new_pg_range(const PgKinds& kinds, py::Ref lower, py::Ref upper, unsigned inclusive);
PyObject* new_empty_pg_range(const PgKinds& kinds);

// Text format of one value; of arrays, composites, ranges and hstore by parsers of our own (pg_text_nested.cpp).
PyObject* read_pg_text_form(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size);
PyObject* read_pg_nested_text(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size);

// Each returns nullptr with DataError set.
// "malformed binary value of `type`"
BAREWIRE_COLD PyObject* fail_pg_bytes(PgDecoding& decoding, const PgType& type);
BAREWIRE_COLD PyObject* fail_pg_data(PgDecoding& decoding, const char* text);

}  // namespace barewire::walk
