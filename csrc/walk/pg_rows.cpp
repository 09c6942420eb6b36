// Rows from cells: one loop per shape, with the decoding of the common types inlined into it.
#include "walk/pg_rows.h"

#include <bit>
#include <utility>

#include "py/guard.h"
#include "py/internals/clock.h"
#include "py/internals/dict_fill.h"
#include "py/text_build.h"
#include "walk/pg_decoder.h"
#include "walk/pg_record.h"

namespace barewire::walk {

using py::Ref;

namespace {

// Values that hold no reference to anything that could refer back.
bool is_atom(const PgType& type) noexcept {
    switch (type.kind) {
        case PgKind::json:
        case PgKind::jsonb:
        case PgKind::array:
        case PgKind::vector:
        case PgKind::range:
        case PgKind::multirange:
        case PgKind::composite:
        case PgKind::record:
        case PgKind::hstore: return false;
        case PgKind::enumeration: return !type.members;
        default: return true;
    }
}

// Whether some type inside has a property.
template <class Has>
bool any_inside(const PgType& type, Has has) noexcept {
    if (has(type)) return true;
    if (type.element != nullptr && any_inside(*type.element, has)) return true;
    for (const PgField& field : type.fields) {
        if (any_inside(*field.type, has)) return true;
    }
    return false;
}

}  // namespace

bool PgRowPlan::prepare(PgKinds& kinds, std::vector<Column> columns, std::vector<Ref> names) {
    if (!kinds.resolve()) return false;
    columns_ = std::move(columns);
    names_ = std::move(names);
    pattern_.reset();
    keys_.reset();
    pattern_tried_ = false;
    atoms_ = true;
    user_code_ = json_ = zoned_ = false;
    for (Column& column : columns_) {
        switch (column.text ? PgKind::opaque : column.type->kind) {
            case PgKind::boolean: column.way = Column::Way::boolean; break;
            case PgKind::float8: column.way = Column::Way::float8; break;
            case PgKind::int4: column.way = Column::Way::int4; break;
            case PgKind::int8: column.way = Column::Way::int8; break;
            case PgKind::text: column.way = Column::Way::utf8; break;
            default: column.way = column.text ? Column::Way::by_text : Column::Way::any; break;
        }
        atoms_ &= !column.text && is_atom(*column.type);
        const PgType& type = *column.type;
        // Only its value says what is in a record.
        user_code_ |= column.text || any_inside(type, [](const PgType& one) {
                          return one.kind == PgKind::record || static_cast<bool>(one.factory);
                      });
        json_ |= any_inside(type, [](const PgType& one) { return one.kind == PgKind::json || one.kind == PgKind::jsonb; });
        zoned_ |= any_inside(type, [](const PgType& one) { return one.kind == PgKind::timestamptz; });
    }
    return true;
}

bool PgRowPlan::may_run_user_code(const PgDecoding& decoding) const noexcept {
    const PgSettings& settings = decoding.settings;
    const bool own_loads = settings.json_loads && settings.json_loads.get() != decoding.kinds.json_loads.get();
    PyObject* const zone = settings.timezone.get();
    return user_code_ || (json_ && (own_loads || !settings.encoding.empty())) ||
           (zoned_ && zone != nullptr && zone != py::timezone_utc() &&
            reinterpret_cast<PyObject*>(Py_TYPE(zone)) != decoding.kinds.zone_info.get());
}

BAREWIRE_INLINE PyObject* PgRowPlan::value(PgDecoding& decoding, const PgCells& cells, int row, int index,
                                           const Column& column) {
    int length = 0;
    const std::uint8_t* data = cells.cell(cells.source, row, index, length);
    if (length < 0) return Ref::none().release();
    const auto size = static_cast<std::size_t>(length);
    switch (column.way) {
        case Column::Way::boolean:
            if (BAREWIRE_LIKELY(length == 1)) return Ref::share(*data ? Py_True : Py_False).release();
            break;
        case Column::Way::float8:
            if (BAREWIRE_LIKELY(length == 8)) return PyFloat_FromDouble(std::bit_cast<double>(base::load_big<std::uint64_t>(data)));
            break;
        case Column::Way::int4:
            if (BAREWIRE_LIKELY(length == 4)) return PyLong_FromLong(base::load_big<std::int32_t>(data));
            break;
        case Column::Way::int8:
            if (BAREWIRE_LIKELY(length == 8)) return PyLong_FromLongLong(base::load_big<std::int64_t>(data));
            break;
        case Column::Way::utf8:
            if (BAREWIRE_LIKELY(decoding.settings.encoding.empty())) return py::text_from_utf8(data, size, nullptr);
            break;
        case Column::Way::by_text: return pg_decode_text(decoding, *column.type, data, size).release();
        case Column::Way::any: break;
    }
    return read_pg_value(decoding, *column.type, data, size);
}

PyObject* PgRowPlan::tuple(PgDecoding& decoding, const PgCells& cells, int row) {
    const Column* const columns = columns_.data();
    const auto count = static_cast<int>(columns_.size());
    PyObject* made = PyTuple_New(count);
    if (BAREWIRE_UNLIKELY(made == nullptr)) return nullptr;
    for (int i = 0; i < count; ++i) {
        PyObject* item = value(decoding, cells, row, i, columns[i]);
        if (BAREWIRE_UNLIKELY(item == nullptr)) {
            Ref dropped = Ref::steal(made);
            return nullptr;
        }
        PyTuple_SET_ITEM(made, i, item);
    }
    if (atoms_ && count != 0) PyObject_GC_UnTrack(made);
    return made;
}

// A dict of all names to clone, where the slots of its values can be written in place.
bool PgRowPlan::make_pattern() {
    pattern_tried_ = true;
    Ref dict = Ref::steal(PyDict_New());
    if (!dict) return false;
    std::vector<PyObject*> keys;
    for (Ref& name : names_) {
        PyObject* raw = name.release();
        PyUnicode_InternInPlace(&raw);
        name = Ref::steal(raw);
        keys.push_back(raw);
        if (PyDict_SetItem(dict.get(), raw, Py_None) < 0) return false;
    }
    if (static_cast<std::size_t>(PyDict_GET_SIZE(dict.get())) != names_.size()) return true;  // a name stands twice
    Ref copy = Ref::steal(PyDict_Copy(dict.get()));
    if (!copy) return false;
    if (py::confirm_value_slots(copy.get(), keys.data(), static_cast<Py_ssize_t>(keys.size()), Py_True)) {
        pattern_ = std::move(dict);
    }
    return PyErr_Occurred() == nullptr;
}

PyObject* PgRowPlan::dict(PgDecoding& decoding, const PgCells& cells, int row) {
    const std::size_t count = columns_.size();
    if (BAREWIRE_UNLIKELY(!pattern_tried_) && !make_pattern()) return nullptr;
    if (BAREWIRE_LIKELY(static_cast<bool>(pattern_))) {
        Ref made = Ref::steal(PyDict_Copy(pattern_.get()));
        if (!made) return nullptr;
        py::ValueSlots slots = py::value_slots(made.get(), static_cast<Py_ssize_t>(count));
        if (BAREWIRE_LIKELY(static_cast<bool>(slots))) {
            for (std::size_t i = 0; i < count; ++i) {
                PyObject* item = value(decoding, cells, row, static_cast<int>(i), columns_[i]);
                if (BAREWIRE_UNLIKELY(item == nullptr)) return nullptr;
                Ref none = Ref::steal(slots[i]);
                slots[i] = item;
            }
            if (!atoms_ && !PyObject_GC_IsTracked(made.get())) PyObject_GC_Track(made.get());
            return made.release();
        }
    }
    Ref made = Ref::steal(PyDict_New());
    if (!made) return nullptr;
    for (std::size_t i = 0; i < count; ++i) {
        Ref item = Ref::steal(value(decoding, cells, row, static_cast<int>(i), columns_[i]));
        if (!item || PyDict_SetItem(made.get(), names_[i].get(), item.get()) < 0) return nullptr;
    }
    if (atoms_) py::untrack_dict_of_atoms(made.get());
    return made.release();
}

PyObject* PgRowPlan::record(PgDecoding& decoding, const PgCells& cells, int row) {
    if (BAREWIRE_UNLIKELY(!keys_)) {
        keys_ = make_record_keys(names_);
        if (!keys_) return nullptr;
    }
    const std::size_t count = columns_.size();
    Ref made = Ref::steal(new_record(decoding.kinds, keys_.get(), static_cast<Py_ssize_t>(count)));
    if (!made) return nullptr;
    PyObject** values = record_values(made.get());
    for (std::size_t i = 0; i < count; ++i) {
        values[i] = value(decoding, cells, row, static_cast<int>(i), columns_[i]);
        if (BAREWIRE_UNLIKELY(values[i] == nullptr)) return nullptr;
    }
    if (!atoms_) PyObject_GC_Track(made.get());
    return made.release();
}

PyObject* PgRowPlan::any(PgDecoding& decoding, const PgCells& cells, int row, PgShape shape) {
    switch (shape) {
        case PgShape::tuples: return tuple(decoding, cells, row);
        case PgShape::dicts: return dict(decoding, cells, row);
        case PgShape::records: return record(decoding, cells, row);
        case PgShape::first: break;
    }
    return columns_.empty() ? Ref::none().release() : value(decoding, cells, row, 0, columns_[0]);
}

Ref PgRowPlan::row(PgDecoding& decoding, const PgCells& cells, int row, PgShape shape) {
    return Ref::steal(any(decoding, cells, row, shape));
}

bool PgRowPlan::append_rows(PgDecoding& decoding, const PgCells& cells, PgShape shape, PyObject* list) {
    py::CollectorPause pause(cells.rows > 32 && !may_run_user_code(decoding));
    for (int row = 0; row < cells.rows; ++row) {
        Ref made = Ref::steal(BAREWIRE_LIKELY(shape == PgShape::tuples) ? tuple(decoding, cells, row)
                                                                        : any(decoding, cells, row, shape));
        if (BAREWIRE_UNLIKELY(!made || PyList_Append(list, made.get()) < 0)) return false;
    }
    return true;
}

}  // namespace barewire::walk
