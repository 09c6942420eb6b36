// barewire._core.PgCodec: the types and settings of one PostgreSQL session, with encode and decode of single values.
#pragma once

#include "bind/state.h"
#include "py/python.h"
#include "walk/pg_decode.h"
#include "walk/pg_encode.h"
#include "walk/pg_rows.h"
#include "walk/pg_settings.h"
#include "walk/pg_types.h"

namespace barewire::bind {

// What a connection's codec is made of; shared by the connections to one database as the caller likes.
struct PgCodec {
    ModuleState* module = nullptr;
    walk::PgTypes types;
    walk::PgSettings settings;

    walk::PgEncoding encoding() noexcept { return {module->pg_kinds, types, settings}; }
    walk::PgDecoding decoding() noexcept { return {module->pg_kinds, types, settings}; }
};

// The codec behind an object of the heap type, borrowed; nullptr with TypeError set for any other object.
PgCodec* pg_codec_of(ModuleState& state, PyObject* object);

// A row of the catalogue given as a tuple (oid, name, typtype, is_array, element oid, columns, factory, labels), see
// PgCodec.add_types. False with a Python error set.
[[nodiscard]] bool read_pg_type_rows(PyObject* iterable, std::vector<py::Ref>& held, std::vector<walk::PgTypeRow>& rows);

[[nodiscard]] bool add_pg_codec(PyObject* module, ModuleState& state);

}  // namespace barewire::bind
