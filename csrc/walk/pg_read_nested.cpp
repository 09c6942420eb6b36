// Arrays, ranges, multiranges, composites and hstore.
#include <cstring>

#include "py/guard.h"
#include "py/text_build.h"
#include "walk/pg_decoder.h"

namespace barewire::walk {

namespace pg = wire::pg;
using py::Ref;

namespace {

constexpr int most_dimensions = 6;  // MAXDIM of the server
constexpr const char* where = " while decoding a PostgreSQL value";

struct ArrayWalk {
    PgDecoding& decoding;
    const PgType& array;
    const PgType& element;
    pg::Reader& reader;
    int dimensions;
    std::int32_t lengths[most_dimensions];

    PyObject* list(int depth) {
        const std::int32_t length = lengths[depth];
        Ref made = Ref::steal(PyList_New(length));
        if (!made) return nullptr;
        const bool innermost = depth + 1 == dimensions;
        for (std::int32_t i = 0; i < length; ++i) {
            PyObject* item;
            if (innermost) {
                pg::Field field;
                if (BAREWIRE_UNLIKELY(!reader.take_field(field))) return fail_pg_bytes(decoding, array);
                item = read_pg_field(decoding, element, field);
            } else {
                item = list(depth + 1);
            }
            if (BAREWIRE_UNLIKELY(item == nullptr)) return nullptr;
            PyList_SET_ITEM(made.get(), i, item);
        }
        return made.release();
    }
};

}  // namespace

PyObject* read_pg_array(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size) {
    py::RecursionGuard guard(where);
    if (!guard.entered()) return nullptr;
    pg::Reader reader(data, size);
    std::int32_t dimensions, has_null;
    std::uint32_t element_oid;
    if (!reader.take(dimensions) || !reader.take(has_null) || !reader.take(element_oid)) return fail_pg_bytes(decoding, type);
    if (dimensions < 0 || dimensions > most_dimensions) return fail_pg_bytes(decoding, type);
    // The value itself says what its elements are: of a domain, or of a polymorphic array.
    const PgType* element = type.element;
    if (element == nullptr || element->oid != element_oid) {
        const PgType* stated = decoding.types.find(element_oid);
        if (stated != nullptr || element == nullptr) element = &decoding.types.get(element_oid);
    }
    ArrayWalk walk{decoding, type, *element, reader, dimensions, {}};
    std::size_t count = dimensions == 0 ? 0 : 1;
    for (int i = 0; i < dimensions; ++i) {
        std::int32_t lower;
        if (!reader.take(walk.lengths[i]) || !reader.take(lower) || walk.lengths[i] < 0) return fail_pg_bytes(decoding, type);
        // Every element takes at least its length, so this also bounds what is allocated.
        count *= static_cast<std::size_t>(walk.lengths[i]);
        if (count > size / 4) return fail_pg_bytes(decoding, type);
    }
    if (count == 0) {
        if (!reader.at_end()) return fail_pg_bytes(decoding, type);
        return PyList_New(0);
    }
    Ref list = Ref::steal(walk.list(0));
    if (list && !reader.at_end()) return fail_pg_bytes(decoding, type);
    return list.release();
}

namespace {

constexpr std::uint8_t range_empty = 1, lower_inclusive = 2, upper_inclusive = 4, lower_infinite = 8, upper_infinite = 16;

PyObject* build_range(const PgKinds& kinds, Ref lower, Ref upper, PyObject* bounds, bool empty) {
    if (BAREWIRE_LIKELY(kinds.range_slots.native())) {
        PyObject* instance = kinds.range_slots.allocate();
        if (instance == nullptr) return nullptr;
        kinds.range_slots.slot(instance, 0) = lower.release();
        kinds.range_slots.slot(instance, 1) = upper.release();
        kinds.range_slots.slot(instance, 2) = Ref::share(bounds).release();
        if (PyObject_IS_GC(instance)) PyObject_GC_Track(instance);
        return instance;
    }
    PyObject* arguments[] = {lower.get(), upper.get(), empty ? kinds.bounds[1].get() : bounds, empty ? Py_True : Py_False};
    return PyObject_Vectorcall(kinds.range.get(), arguments, 4, nullptr);
}

}  // namespace

PyObject* new_pg_range(const PgKinds& kinds, Ref lower, Ref upper, unsigned inclusive) {
    if (lower.get() == Py_None) inclusive &= ~1u;
    if (upper.get() == Py_None) inclusive &= ~2u;
    return build_range(kinds, std::move(lower), std::move(upper), kinds.bounds[inclusive].get(), false);
}

PyObject* new_empty_pg_range(const PgKinds& kinds) {
    return build_range(kinds, Ref::none(), Ref::none(), kinds.empty_text.get(), true);
}

PyObject* read_pg_range(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size) {
    py::RecursionGuard guard(where);
    if (!guard.entered()) return nullptr;
    const PgKinds& kinds = decoding.kinds;
    pg::Reader reader(data, size);
    std::uint8_t flags;
    if (!reader.take(flags)) return fail_pg_bytes(decoding, type);
    Ref lower = Ref::none(), upper = Ref::none();
    if (flags & range_empty) {
        if (!reader.at_end()) return fail_pg_bytes(decoding, type);
        return new_empty_pg_range(kinds);
    }
    pg::Field field;
    if (!(flags & lower_infinite)) {
        if (!reader.take_field(field)) return fail_pg_bytes(decoding, type);
        lower = Ref::steal(read_pg_field(decoding, *type.element, field));
        if (!lower) return nullptr;
    }
    if (!(flags & upper_infinite)) {
        if (!reader.take_field(field)) return fail_pg_bytes(decoding, type);
        upper = Ref::steal(read_pg_field(decoding, *type.element, field));
        if (!upper) return nullptr;
    }
    if (!reader.at_end()) return fail_pg_bytes(decoding, type);
    return new_pg_range(kinds, std::move(lower), std::move(upper),
                        (flags & lower_inclusive ? 1u : 0u) | (flags & upper_inclusive ? 2u : 0u));
}

PyObject* read_pg_multirange(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size) {
    py::RecursionGuard guard(where);
    if (!guard.entered()) return nullptr;
    pg::Reader reader(data, size);
    std::int32_t count;
    if (!reader.take(count) || count < 0 || static_cast<std::size_t>(count) > reader.left() / 5) {
        return fail_pg_bytes(decoding, type);
    }
    Ref ranges = Ref::steal(PyList_New(count));
    if (!ranges) return nullptr;
    for (std::int32_t i = 0; i < count; ++i) {
        pg::Field field;
        if (!reader.take_field(field) || field.is_null()) return fail_pg_bytes(decoding, type);
        PyObject* range = read_pg_range(decoding, *type.element, field.data, field.size);
        if (range == nullptr) return nullptr;
        PyList_SET_ITEM(ranges.get(), i, range);
    }
    if (!reader.at_end()) return fail_pg_bytes(decoding, type);
    return PyObject_CallOneArg(decoding.kinds.multirange.get(), ranges.get());
}

PyObject* read_pg_composite(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size) {
    py::RecursionGuard guard(where);
    if (!guard.entered()) return nullptr;
    pg::Reader reader(data, size);
    std::int32_t count;
    if (!reader.take(count) || count < 0 || static_cast<std::size_t>(count) > reader.left() / 8) {
        return fail_pg_bytes(decoding, type);
    }
    Ref values = Ref::steal(PyTuple_New(count));
    if (!values) return nullptr;
    for (std::int32_t i = 0; i < count; ++i) {
        std::uint32_t oid;
        pg::Field field;
        if (!reader.take(oid) || !reader.take_field(field)) return fail_pg_bytes(decoding, type);
        PyObject* value = read_pg_field(decoding, decoding.types.get(oid), field);
        if (value == nullptr) return nullptr;
        PyTuple_SET_ITEM(values.get(), i, value);
    }
    if (!reader.at_end()) return fail_pg_bytes(decoding, type);
    if (!type.factory) return values.release();
    Ref factory = type.factory.copy();  // it may describe its own type anew
    return PyObject_CallObject(factory.get(), values.get());
}

PyObject* read_pg_hstore(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size) {
    pg::Reader reader(data, size);
    std::int32_t count;
    if (!reader.take(count) || count < 0 || static_cast<std::size_t>(count) > reader.left() / 8) {
        return fail_pg_bytes(decoding, type);
    }
    Ref dict = Ref::steal(PyDict_New());
    if (!dict) return nullptr;
    for (std::int32_t i = 0; i < count; ++i) {
        pg::Field key, value;
        if (!reader.take_field(key) || key.is_null() || !reader.take_field(value)) return fail_pg_bytes(decoding, type);
        Ref name = Ref::steal(read_pg_text(decoding, key.data, key.size));
        if (!name) return nullptr;
        Ref text = value.is_null() ? Ref::none() : Ref::steal(read_pg_text(decoding, value.data, value.size));
        if (!text || PyDict_SetItem(dict.get(), name.get(), text.get()) < 0) return nullptr;
    }
    if (!reader.at_end()) return fail_pg_bytes(decoding, type);
    return dict.release();
}

}  // namespace barewire::walk
