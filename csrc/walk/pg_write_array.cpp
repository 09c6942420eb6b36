// Arrays of any dimension out of nested lists.
#include "py/internals/list.h"
#include "walk/pg_encoder.h"

namespace barewire::walk {

namespace pg = wire::pg;
using py::Ref;

namespace {

constexpr int most_dimensions = 6;  // MAXDIM of the server
constexpr std::size_t dimensions_at = 12;

// Kinds whose values may be tuples, so that only lists can be a dimension of their arrays.
bool tuples_are_values(PgKind kind) noexcept {
    return kind == PgKind::composite || kind == PgKind::record || kind == PgKind::json || kind == PgKind::jsonb ||
           (kind >= PgKind::point && kind <= PgKind::circle);
}

struct Shape {
    int dimensions = 0;
    Py_ssize_t lengths[most_dimensions] = {};
    bool tuples = false;  // tuples are dimensions too
    bool has_null = false;
    bool is_dimension(PyObject* value) const noexcept { return PyList_Check(value) || (tuples && PyTuple_Check(value)); }
};

PyObject* first_item(PyObject* sequence) noexcept {
    return PyList_Check(sequence) ? PyList_GET_ITEM(sequence, 0) : PyTuple_GET_ITEM(sequence, 0);
}

// The lengths along the first items; the walk over all of them checks that the others agree.
bool measure(PgEncoder& encoder, const PgType& type, PyObject* value, Shape& shape) {
    for (PyObject* at = value; shape.is_dimension(at); at = first_item(at)) {
        if (shape.dimensions == most_dimensions) return fail_pg_value(encoder, type, "more than six dimensions");
        const Py_ssize_t length = Py_SIZE(at);
        if (length > 0x7fffffff) return fail_pg_value(encoder, type, "too many elements");
        shape.lengths[shape.dimensions++] = length;
        if (length == 0) break;
    }
    return true;
}

BAREWIRE_COLD bool fail_shape(PgEncoder& encoder, const PgType& type) {
    return fail_pg_value(encoder, type, "nested lists have inconsistent depths or lengths");
}

bool write_elements(PgEncoder& encoder, const PgType& type, PyObject* sequence, Shape& shape, int depth) {
    const bool is_list = PyList_Check(sequence);
    const bool innermost = depth + 1 == shape.dimensions;
    const Py_ssize_t length = shape.lengths[depth];
    if (Py_SIZE(sequence) != length) return fail_shape(encoder, type);
    const PgType& element = *type.element;
    std::uint64_t seen = encoder.user_code;
    py::Items items = is_list ? py::list_items(sequence) : py::tuple_items(sequence);
    for (Py_ssize_t i = 0; i < length; ++i) {
        Ref item = Ref::share(items.data[i]);
        bool written;
        if (innermost) {
            if (item.get() == Py_None) shape.has_null = true;
            // A list among values is a dimension that the others lack.
            written = BAREWIRE_UNLIKELY(PyList_Check(item.get())) ? fail_shape(encoder, type)
                                                                  : write_pg_field(encoder, element, item.get());
        } else {
            written = shape.is_dimension(item.get()) ? write_elements(encoder, type, item.get(), shape, depth + 1)
                                                     : fail_shape(encoder, type);
        }
        if (BAREWIRE_UNLIKELY(!written)) {
            encoder.path.leave_index(static_cast<std::size_t>(i));
            return false;
        }
        if (BAREWIRE_UNLIKELY(encoder.user_code != seen)) {
            seen = encoder.user_code;
            items = is_list ? py::list_items(sequence) : py::tuple_items(sequence);
            if (items.size != length) {
                PyErr_SetString(PyExc_RuntimeError, "list changed size during iteration");
                return false;
            }
        }
    }
    return true;
}

bool is_text_or_mapping(PyObject* value) noexcept {
    return PyUnicode_Check(value) || PyBytes_Check(value) || PyByteArray_Check(value) || PyDict_Check(value);
}

}  // namespace

bool write_pg_array(PgEncoder& encoder, const PgType& type, PyObject* value) {
    if (BAREWIRE_UNLIKELY(!type.binary)) return write_pg_text_form(encoder, type, value);
    py::RecursionLevel level(encoder.recursion);
    if (!level.entered()) return false;
    Ref held = Ref::share(value);
    if (BAREWIRE_UNLIKELY(!PyList_Check(value) && !PyTuple_Check(value))) {
        // Other collections, such as array.array or sets, are copied into a list first.
        if (is_text_or_mapping(value) || Py_TYPE(value)->tp_iter == nullptr) {
            return fail_pg_type(encoder, type, value, "list");
        }
        ++encoder.user_code;
        held = Ref::steal(PySequence_List(value));
        if (!held) return false;
    }
    Shape shape;
    shape.tuples = !tuples_are_values(type.element->kind);
    const bool tuple_on_top = PyTuple_Check(held.get());
    if (tuple_on_top && !shape.tuples) {
        held = Ref::steal(PySequence_List(held.get()));
        if (!held) return false;
    }
    if (!measure(encoder, type, held.get(), shape)) return false;
    if (type.kind == PgKind::vector && shape.dimensions > 1) return fail_shape(encoder, type);
    bool empty = false;
    for (int i = 0; i < shape.dimensions; ++i) empty |= shape.lengths[i] == 0;
    const int stated = empty ? 0 : shape.dimensions;
    if (!encoder.reserve(dimensions_at + 8 * most_dimensions)) return false;
    const std::size_t start = encoder.size();
    std::uint8_t* at = pg::put(encoder.tail(), static_cast<std::int32_t>(type.kind == PgKind::vector ? 1 : stated));
    at = pg::put(at, std::int32_t{0});
    at = pg::put(at, type.element->oid);
    const std::int32_t lower = type.kind == PgKind::vector ? 0 : 1;
    if (!empty || type.kind == PgKind::vector) {
        for (int i = 0; i < shape.dimensions; ++i) {
            at = pg::put(at, static_cast<std::int32_t>(shape.lengths[i]));
            at = pg::put(at, lower);
        }
    }
    encoder.advance_to(at);
    // An empty list deeper down is an empty array only if all the others are empty, too.
    if (!write_elements(encoder, type, held.get(), shape, 0)) return false;
    if (shape.has_null) {
        if (type.kind == PgKind::vector) return fail_pg_value(encoder, type, "NULL inside");
        pg::put(encoder.data() + start + 4, std::int32_t{1});
    }
    return true;
}

}  // namespace barewire::walk
