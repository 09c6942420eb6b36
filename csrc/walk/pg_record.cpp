// The heap type behind Record.
#include "walk/pg_record.h"

#include <cstddef>
#include <utility>

#include "py/compat.h"

namespace barewire::walk {

using py::Ref;

namespace {

struct RecordObject {
    PyObject_VAR_HEAD
    PyObject* keys;  // (names, positions)
    PyObject* values[1];
};

RecordObject* record_of(PyObject* self) noexcept { return reinterpret_cast<RecordObject*>(self); }
PyObject* names_of(PyObject* self) noexcept { return PyTuple_GET_ITEM(record_of(self)->keys, 0); }
PyObject* positions_of(PyObject* self) noexcept { return PyTuple_GET_ITEM(record_of(self)->keys, 1); }

int traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(record_of(self)->keys);
    for (Py_ssize_t i = 0; i < Py_SIZE(self); ++i) Py_VISIT(record_of(self)->values[i]);
    return 0;
}

int clear(PyObject* self) {
    Ref keys = Ref::steal(record_of(self)->keys);
    record_of(self)->keys = nullptr;
    for (Py_ssize_t i = 0; i < Py_SIZE(self); ++i) {
        Ref value = Ref::steal(record_of(self)->values[i]);
        record_of(self)->values[i] = nullptr;
    }
    return 0;
}

void deallocate(PyObject* self) {
    PyObject_GC_UnTrack(self);
    Py_TRASHCAN_BEGIN(self, deallocate)
    Ref type = Ref::steal(reinterpret_cast<PyObject*>(Py_TYPE(self)));
    clear(self);
    PyObject_GC_Del(self);
    Py_TRASHCAN_END
}

Ref as_tuple(PyObject* self) {
    Ref tuple = Ref::steal(PyTuple_New(Py_SIZE(self)));
    if (!tuple) return {};
    for (Py_ssize_t i = 0; i < Py_SIZE(self); ++i) {
        PyTuple_SET_ITEM(tuple.get(), i, Ref::share(record_of(self)->values[i]).release());
    }
    return tuple;
}

// Position of a name; -1 without an error if there is none, -2 with one.
Py_ssize_t position_of(PyObject* self, PyObject* name) {
    PyObject* found = PyDict_GetItemWithError(positions_of(self), name);
    if (found == nullptr) return PyErr_Occurred() ? -2 : -1;
    return PyLong_AsSsize_t(found);
}

Py_ssize_t length(PyObject* self) { return Py_SIZE(self); }

PyObject* item(PyObject* self, Py_ssize_t index) {
    if (index < 0 || index >= Py_SIZE(self)) {
        PyErr_SetString(PyExc_IndexError, "record index out of range");
        return nullptr;
    }
    return Ref::share(record_of(self)->values[index]).release();
}

PyObject* subscript(PyObject* self, PyObject* key) {
    if (PyUnicode_Check(key)) {
        const Py_ssize_t position = position_of(self, key);
        if (position == -1) PyErr_SetObject(PyExc_KeyError, key);
        return position < 0 ? nullptr : item(self, position);
    }
    if (PyIndex_Check(key)) {
        Py_ssize_t index = PyNumber_AsSsize_t(key, PyExc_IndexError);
        if (index == -1 && PyErr_Occurred()) return nullptr;
        return item(self, index < 0 ? index + Py_SIZE(self) : index);
    }
    Ref tuple = as_tuple(self);
    return tuple ? PyObject_GetItem(tuple.get(), key) : nullptr;
}

int contains(PyObject* self, PyObject* key) {
    if (!PyUnicode_Check(key)) return 0;
    const Py_ssize_t position = position_of(self, key);
    return position == -2 ? -1 : position >= 0;
}

PyObject* attribute(PyObject* self, PyObject* name) {
    // Columns come first only where Record itself has no such method.
    PyObject* found = PyObject_GenericGetAttr(self, name);
    if (found != nullptr || !PyErr_ExceptionMatches(PyExc_AttributeError)) return found;
    Ref raised = py::take_exception();
    const Py_ssize_t position = position_of(self, name);
    if (position >= 0) return item(self, position);
    if (position == -1) py::restore_exception(std::move(raised));
    return nullptr;
}

PyObject* iterate(PyObject* self) {
    Ref tuple = as_tuple(self);
    return tuple ? PyObject_GetIter(tuple.get()) : nullptr;
}

Ref comparable(PyObject* object, PyTypeObject* type) {
    if (Py_TYPE(object) == type) return as_tuple(object);
    return PyTuple_Check(object) ? Ref::share(object) : Ref();
}

PyObject* compare(PyObject* self, PyObject* other, int operation) {
    Ref left = as_tuple(self);
    if (!left) return nullptr;
    Ref right = comparable(other, Py_TYPE(self));
    if (!right) {
        if (PyErr_Occurred()) return nullptr;
        return Ref::share(Py_NotImplemented).release();
    }
    return PyObject_RichCompare(left.get(), right.get(), operation);
}

Py_hash_t hash(PyObject* self) {
    Ref tuple = as_tuple(self);
    return tuple ? PyObject_Hash(tuple.get()) : -1;
}

PyObject* represent(PyObject* self) {
    const int entered = Py_ReprEnter(self);
    if (entered != 0) return entered > 0 ? PyUnicode_FromString("<Record ...>") : nullptr;
    Ref text = Ref::steal(PyUnicode_FromString("<Record"));
    for (Py_ssize_t i = 0; text && i < Py_SIZE(self); ++i) {
        text = Ref::steal(PyUnicode_FromFormat("%U %U=%R", text.get(), PyTuple_GET_ITEM(names_of(self), i),
                                               record_of(self)->values[i]));
    }
    if (text) text = Ref::steal(PyUnicode_FromFormat("%U>", text.get()));
    Py_ReprLeave(self);
    return text.release();
}

PyObject* keys(PyObject* self, PyObject*) { return PyObject_GetIter(names_of(self)); }

PyObject* values(PyObject* self, PyObject*) { return iterate(self); }

PyObject* items(PyObject* self, PyObject*) {
    Ref list = Ref::steal(PyList_New(Py_SIZE(self)));
    if (!list) return nullptr;
    for (Py_ssize_t i = 0; i < Py_SIZE(self); ++i) {
        PyObject* pair = PyTuple_Pack(2, PyTuple_GET_ITEM(names_of(self), i), record_of(self)->values[i]);
        if (pair == nullptr) return nullptr;
        PyList_SET_ITEM(list.get(), i, pair);
    }
    return PyObject_GetIter(list.get());
}

PyObject* get(PyObject* self, PyObject* const* arguments, Py_ssize_t given) {
    if (given < 1 || given > 2) {
        PyErr_Format(PyExc_TypeError, "get expected 1 or 2 arguments, got %zd", given);
        return nullptr;
    }
    const Py_ssize_t position = PyUnicode_Check(arguments[0]) ? position_of(self, arguments[0]) : -1;
    if (position == -2) return nullptr;
    if (position >= 0) return item(self, position);
    return Ref::share(given == 2 ? arguments[1] : Py_None).release();
}

// For pickle and copy: barewire._core.pg_record(names, values). The names are one object for all records of a result, so a
// pickle holds them once.
PyObject* reduce(PyObject* self, PyObject*) {
    PyObject* module = PyType_GetModule(Py_TYPE(self));
    Ref maker = module ? Ref::steal(PyObject_GetAttrString(module, "pg_record")) : Ref();
    Ref values = maker ? as_tuple(self) : Ref();
    return values ? Py_BuildValue("O(OO)", maker.get(), names_of(self), values.get()) : nullptr;
}

PyMethodDef methods[] = {
    {"__reduce__", &reduce, METH_NOARGS, nullptr},
    {"keys", &keys, METH_NOARGS, PyDoc_STR("keys($self, /)\n--\n\nAn iterator over the names of the columns.")},
    {"values", &values, METH_NOARGS, PyDoc_STR("values($self, /)\n--\n\nAn iterator over the values.")},
    {"items", &items, METH_NOARGS, PyDoc_STR("items($self, /)\n--\n\nAn iterator over pairs of name and value.")},
    {"get", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&get)), METH_FASTCALL,
     PyDoc_STR("get($self, key, default=None, /)\n--\n\nThe value of a column, or the default if there is none of this name.")},
    {nullptr, nullptr, 0, nullptr},
};

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>("The values of one row, by position, by name, or as attributes; equal to the tuple of its values.")},
    {Py_tp_dealloc, reinterpret_cast<void*>(&deallocate)},
    {Py_tp_traverse, reinterpret_cast<void*>(&traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(&clear)},
    {Py_tp_getattro, reinterpret_cast<void*>(&attribute)},
    {Py_tp_iter, reinterpret_cast<void*>(&iterate)},
    {Py_tp_richcompare, reinterpret_cast<void*>(&compare)},
    {Py_tp_hash, reinterpret_cast<void*>(&hash)},
    {Py_tp_repr, reinterpret_cast<void*>(&represent)},
    {Py_tp_methods, methods},
    {Py_sq_length, reinterpret_cast<void*>(&length)},
    {Py_sq_item, reinterpret_cast<void*>(&item)},
    {Py_sq_contains, reinterpret_cast<void*>(&contains)},
    {Py_mp_length, reinterpret_cast<void*>(&length)},
    {Py_mp_subscript, reinterpret_cast<void*>(&subscript)},
    {0, nullptr},
};

PyType_Spec spec = {
    "barewire.pg.Record",
    static_cast<int>(offsetof(RecordObject, values)),
    sizeof(PyObject*),
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION | Py_TPFLAGS_IMMUTABLETYPE,
    slots,
};

Ref make_positions(const std::vector<Ref>& names) {
    Ref positions = Ref::steal(PyDict_New());
    for (std::size_t i = 0; positions && i < names.size(); ++i) {
        Ref position = Ref::steal(PyLong_FromSize_t(i));
        if (!position || PyDict_SetItem(positions.get(), names[i].get(), position.get()) < 0) return {};
    }
    return positions;
}

}  // namespace

Ref make_record_keys(const std::vector<Ref>& names) {
    Ref tuple = Ref::steal(PyTuple_New(static_cast<Py_ssize_t>(names.size())));
    Ref positions = tuple ? make_positions(names) : Ref();
    if (!positions) return {};
    for (std::size_t i = 0; i < names.size(); ++i) PyTuple_SET_ITEM(tuple.get(), static_cast<Py_ssize_t>(i), names[i].shared());
    return Ref::steal(PyTuple_Pack(2, tuple.get(), positions.get()));
}

bool add_pg_record(PyObject* module, PgKinds& kinds) {
    kinds.record = Ref::steal(PyType_FromModuleAndSpec(module, &spec, nullptr));
    return kinds.record && PyModule_AddType(module, reinterpret_cast<PyTypeObject*>(kinds.record.get())) == 0;
}

PyObject* new_record(const PgKinds& kinds, PyObject* keys, Py_ssize_t count) {
    auto* record = PyObject_GC_NewVar(RecordObject, reinterpret_cast<PyTypeObject*>(kinds.record.get()), count);
    if (record == nullptr) return nullptr;
    record->keys = Ref::share(keys).release();
    for (Py_ssize_t i = 0; i < count; ++i) record->values[i] = nullptr;
    return reinterpret_cast<PyObject*>(record);
}

Ref record_again(PgKinds& kinds, PyObject* names, PyObject* values) {
    if (!PyTuple_CheckExact(names) || !PyTuple_CheckExact(values)) {
        PyErr_SetString(PyExc_TypeError, "names and values must be tuples");
        return {};
    }
    const Py_ssize_t count = PyTuple_GET_SIZE(names);
    if (PyTuple_GET_SIZE(values) != count) {
        PyErr_Format(PyExc_ValueError, "%zd names for %zd values", count, PyTuple_GET_SIZE(values));
        return {};
    }
    if (!kinds.record_keys || PyTuple_GET_ITEM(kinds.record_keys.get(), 0) != names) {
        std::vector<Ref> held;
        for (Py_ssize_t i = 0; i < count; ++i) {
            PyObject* name = PyTuple_GET_ITEM(names, i);
            if (!PyUnicode_CheckExact(name)) {
                PyErr_Format(PyExc_TypeError, "names must be str, not %.200s", Py_TYPE(name)->tp_name);
                return {};
            }
            held.push_back(Ref::share(name));
        }
        Ref positions = make_positions(held);
        Ref keys = positions ? Ref::steal(PyTuple_Pack(2, names, positions.get())) : Ref();
        if (!keys) return {};
        kinds.record_keys = std::move(keys);
    }
    Ref made = Ref::steal(new_record(kinds, kinds.record_keys.get(), count));
    if (!made) return {};
    for (Py_ssize_t i = 0; i < count; ++i) record_values(made.get())[i] = Ref::share(PyTuple_GET_ITEM(values, i)).release();
    PyObject_GC_Track(made.get());
    return made;
}

PyObject** record_values(PyObject* record) noexcept { return record_of(record)->values; }

}  // namespace barewire::walk
