// The methods of PgCodec that take and give whole rows; the type itself is in pg_codec_api.
#pragma once

#include "bind/pg_codec_api.h"
#include "py/python.h"

namespace barewire::bind {

PyObject* pg_encode_rows(PyObject* self, PyObject* arguments);
PyObject* pg_encode_columns(PyObject* self, PyObject* arguments);
PyObject* pg_decode_rows(PyObject* self, PyObject* arguments);

// The codec of an object that is known to be a PgCodec.
PgCodec& pg_codec_of_self(PyObject* self) noexcept;

}  // namespace barewire::bind
