// Ranges, multiranges, composites and hstore.
#include <cstring>

#include "py/compat.h"
#include "py/internals/dict.h"
#include "py/internals/list.h"
#include "py/internals/text.h"
#include "walk/pg_encoder.h"

namespace barewire::walk {

namespace pg = wire::pg;
using py::Ref;

namespace {

constexpr std::uint8_t range_empty = 1, lower_inclusive = 2, upper_inclusive = 4, lower_infinite = 8, upper_infinite = 16;

// Lower bound, upper bound and the two characters of a range of any class.
struct RangeParts {
    Ref lower, upper, bounds;
};

bool take_apart(PgEncoder& encoder, const PgType& type, PyObject* value, RangeParts& parts) {
    const PgKinds& kinds = encoder.kinds;
    if (kinds.range_slots.native() && kinds.range_slots.is_exact(value)) {
        parts.lower = Ref::share(kinds.range_slots.slot(value, 0));
        parts.upper = Ref::share(kinds.range_slots.slot(value, 1));
        parts.bounds = Ref::share(kinds.range_slots.slot(value, 2));
    } else {
        if (!PyObject_TypeCheck(value, reinterpret_cast<PyTypeObject*>(kinds.range.get()))) {
            return fail_pg_type(encoder, type, value, "Range");
        }
        ++encoder.user_code;
        Ref held = Ref::share(value);
        parts.lower = Ref::steal(PyObject_GetAttr(value, kinds.lower.get()));
        if (!parts.lower) return false;
        parts.upper = Ref::steal(PyObject_GetAttr(value, kinds.upper.get()));
        if (!parts.upper) return false;
        parts.bounds = Ref::steal(PyObject_GetAttr(value, kinds.bounds_name.get()));
    }
    if (parts.lower && parts.upper && parts.bounds && PyUnicode_Check(parts.bounds.get())) return true;
    return !PyErr_Occurred() && fail_pg_value(encoder, type, "incomplete range");
}

bool write_bound(PgEncoder& encoder, const PgType& type, PyObject* bound, const char* name) {
    if (write_pg_field(encoder, *type.element, bound)) return true;
    encoder.path.leave_key(name);
    return false;
}

}  // namespace

bool write_pg_range(PgEncoder& encoder, const PgType& type, PyObject* value) {
    if (!type.binary) return write_pg_text_form(encoder, type, value);
    py::RecursionLevel level(encoder.recursion);
    RangeParts parts;
    if (!level.entered() || !take_apart(encoder, type, value, parts)) return false;
    const py::Utf8 bounds = py::utf8(parts.bounds.get());
    if (bounds.data == nullptr || !encoder.reserve(1)) return false;
    const bool has_lower = parts.lower.get() != Py_None, has_upper = parts.upper.get() != Py_None;
    std::uint8_t flags = 0;
    if (bounds.size < 2) {
        flags = range_empty;
    } else {
        flags |= !has_lower ? lower_infinite : bounds.data[0] == '[' ? lower_inclusive : 0;
        flags |= !has_upper ? upper_infinite : bounds.data[1] == ']' ? upper_inclusive : 0;
    }
    encoder.advance_to(pg::put(encoder.tail(), flags));
    if (flags & range_empty) return true;
    if (has_lower && !write_bound(encoder, type, parts.lower.get(), "lower")) return false;
    return !has_upper || write_bound(encoder, type, parts.upper.get(), "upper");
}

bool write_pg_multirange(PgEncoder& encoder, const PgType& type, PyObject* value) {
    if (!type.binary) return write_pg_text_form(encoder, type, value);
    if (!PyObject_TypeCheck(value, reinterpret_cast<PyTypeObject*>(encoder.kinds.multirange.get())) &&
        !PyList_Check(value) && !PyTuple_Check(value)) {
        return fail_pg_type(encoder, type, value, "Multirange");
    }
    py::RecursionLevel level(encoder.recursion);
    if (!level.entered()) return false;
    ++encoder.user_code;
    Ref ranges = Ref::steal(PySequence_List(value));
    if (!ranges || !encoder.reserve(4)) return false;
    const Py_ssize_t count = PyList_GET_SIZE(ranges.get());
    encoder.advance_to(pg::put(encoder.tail(), static_cast<std::int32_t>(count)));
    for (Py_ssize_t i = 0; i < count; ++i) {
        PyObject* range = PyList_GET_ITEM(ranges.get(), i);
        const bool written = range == Py_None ? fail_pg_type(encoder, *type.element, range, "Range")
                                              : write_pg_field(encoder, *type.element, range);
        if (!written) {
            encoder.path.leave_index(static_cast<std::size_t>(i));
            return false;
        }
    }
    return true;
}

namespace {

bool write_column(PgEncoder& encoder, const PgField& field, PyObject* value) {
    if (!encoder.reserve(4)) return false;
    encoder.advance_to(pg::put(encoder.tail(), field.type->oid));
    if (write_pg_field(encoder, *field.type, value)) return true;
    const py::Utf8 name = py::utf8(field.name.get());
    encoder.path.leave_key(name.data == nullptr ? "?" : name.data);
    return false;
}

// The columns of a composite from a mapping; a column that is not there is NULL only if the caller says so with None.
bool write_columns_of_mapping(PgEncoder& encoder, const PgType& type, PyObject* mapping) {
    ++encoder.user_code;
    const Py_ssize_t size = PyMapping_Size(mapping);
    if (size < 0) return false;
    if (static_cast<std::size_t>(size) != type.fields.size()) {
        return fail_pg_value(encoder, type, "another number of columns");
    }
    for (const PgField& field : type.fields) {
        Ref value = Ref::steal(PyObject_GetItem(mapping, field.name.get()));
        if (!value) {
            if (!PyErr_ExceptionMatches(PyExc_KeyError)) return false;
            PyErr_Clear();
            const py::Utf8 name = py::utf8(field.name.get());
            encoder.path.leave_key(name.data == nullptr ? "?" : name.data);
            return fail_pg_value(encoder, type, "column is missing");
        }
        if (!write_column(encoder, field, value.get())) return false;
    }
    return true;
}

}  // namespace

bool write_pg_composite(PgEncoder& encoder, const PgType& type, PyObject* value) {
    if (!type.binary) return write_pg_text_form(encoder, type, value);
    py::RecursionLevel level(encoder.recursion);
    if (!level.entered() || !encoder.reserve(4)) return false;
    encoder.advance_to(pg::put(encoder.tail(), static_cast<std::int32_t>(type.fields.size())));
    Ref held = Ref::share(value);
    if (PyTuple_Check(value) || PyList_Check(value)) {
        for (std::size_t i = 0; i < type.fields.size(); ++i) {
            // Read anew each time: user code may have changed a list.
            const Py_ssize_t size = Py_SIZE(value);
            if (static_cast<std::size_t>(size) != type.fields.size()) {
                return fail_pg_value(encoder, type, "another number of columns");
            }
            Ref item = Ref::share(PySequence_Fast_GET_ITEM(value, static_cast<Py_ssize_t>(i)));
            if (!write_column(encoder, type.fields[i], item.get())) return false;
        }
        return static_cast<std::size_t>(Py_SIZE(value)) == type.fields.size() ||
               fail_pg_value(encoder, type, "another number of columns");
    }
    if (!PyDict_Check(value)) {
        const int is_mapping = PyObject_IsInstance(value, encoder.kinds.mapping.get());
        if (is_mapping < 0) return false;
        if (!is_mapping) return fail_pg_type(encoder, type, value, "tuple or dict");
    }
    return write_columns_of_mapping(encoder, type, value);
}

namespace {

bool write_hstore_text(PgEncoder& encoder, const PgType& type, PyObject* value, const char* what) {
    if (!PyUnicode_Check(value)) return fail_pg_type(encoder, type, value, what);
    if (!encoder.reserve(4)) return false;
    const std::size_t start = encoder.size();
    encoder.advance(4);
    return write_pg_text(encoder, type, value) && finish_pg_field(encoder, type, start);
}

}  // namespace

bool write_pg_hstore(PgEncoder& encoder, const PgType& type, PyObject* value) {
    if (!PyDict_Check(value)) return fail_pg_type(encoder, type, value, "dict of str");
    Ref held = Ref::share(value);
    if (!encoder.reserve(4)) return false;
    encoder.advance_to(pg::put(encoder.tail(), static_cast<std::int32_t>(PyDict_GET_SIZE(value))));
    // Nothing below runs user code: only str and None are accepted.
    py::DictCursor cursor(value);
    PyObject *key = nullptr, *item = nullptr;
    while (cursor.next(key, item)) {
        if (!write_hstore_text(encoder, type, key, "str as key")) return false;
        if (item == Py_None) {
            if (!encoder.reserve(4)) return false;
            encoder.advance_to(pg::put(encoder.tail(), pg::null_length));
            continue;
        }
        if (!write_hstore_text(encoder, type, item, "str or None as value")) {
            const py::Utf8 name = py::utf8(key);
            encoder.path.leave_key(name.data == nullptr ? "?" : name.data);
            return false;
        }
    }
    return true;
}

}  // namespace barewire::walk
