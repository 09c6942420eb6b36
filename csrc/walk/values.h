// Building bson's value types (ObjectId, Int64, Binary, ...) natively; reading bytes and walking are elsewhere.
#pragma once

#include <cstdint>

#include "base/macros.h"
#include "py/python.h"
#include "py/ref.h"
#include "py/slots.h"
#include "walk/kinds.h"

namespace barewire::walk {

// How each value type is built, found out once from a sample made by its public constructor. A type whose layout is not
// the known one is built by its constructor: slower, same objects.
struct Values {
    py::SlotClass object_id;     // id
    py::SlotClass decimal128;    // high, low
    py::SlotClass datetime_ms;   // value
    py::SlotClass timestamp;     // time, inc
    py::SlotClass regex;         // pattern, flags
    py::SlotClass dbref;         // collection, id, database, kwargs
    py::SlotClass uuid;          // int, is_safe
    py::SlotClass raw_document;  // raw, inflated document, codec options
    py::SlotClass min_key, max_key;
    bool int64_by_digits = false;
    bool binary_by_memory = false;
    Py_ssize_t raw_view_threshold = 0;  // RawBSONDocuments of so many bytes keep a view; 0: always a copy (before 4.18)
    py::Ref binary_subtype_name;  // "_Binary__subtype"
    py::Ref bytes_name;           // ("bytes",), keyword of uuid.UUID
};

// Fills kinds.values on first use; nullptr with a Python error set.
BAREWIRE_COLD const Values* load_values(Kinds& kinds);

// Each returns a new reference, or nullptr with a Python error set.
PyObject* new_object_id(const Kinds& kinds, const Values& values, const std::uint8_t bytes[12]);
PyObject* new_int64(const Kinds& kinds, const Values& values, std::int64_t value);
PyObject* new_binary(const Kinds& kinds, const Values& values, const std::uint8_t* data, std::size_t size, int subtype);
// `high` and `low` are the two big-endian halves of the 16 bytes in the UUID's own (RFC 4122) order.
PyObject* new_uuid(const Kinds& kinds, const Values& values, std::uint64_t high, std::uint64_t low);
PyObject* new_decimal128(const Values& values, std::uint64_t high, std::uint64_t low);
PyObject* new_datetime_ms(const Values& values, std::int64_t milliseconds);
PyObject* new_timestamp(const Values& values, std::uint32_t time, std::uint32_t increment);
PyObject* new_regex(const Values& values, py::Ref pattern, int flags);
// `extra` is a dict that the caller no longer uses, or empty; `database` is None if there is none.
PyObject* new_dbref(const Values& values, py::Ref collection, py::Ref id, py::Ref database, py::Ref extra);
PyObject* new_without_slots(const py::SlotClass& type);
// `raw` holds exactly one checked document; `type` is RawBSONDocument or a subclass.
PyObject* new_raw_document(const Values& values, PyObject* type, py::Ref raw, PyObject* options);

}  // namespace barewire::walk
