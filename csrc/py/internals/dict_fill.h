// Cloning a dict of known keys and writing its values in place, instead of inserting key by key; private dict layout.
#pragma once

#include <cstddef>

#include "base/macros.h"
#include "py/internals/dict.h"
#include "py/python.h"

namespace barewire::py {

// Before 3.14 a dict of atoms is not tracked by the garbage collector and an insertion of something else tracks it; since
// 3.14 dicts are always tracked. Ends the tracking of a dict whose values can never be part of a cycle.
inline void untrack_dict_of_atoms(PyObject* dict) noexcept {
#if PY_VERSION_HEX < 0x030e0000 && !defined(Py_GIL_DISABLED)
    if (PyObject_GC_IsTracked(dict)) PyObject_GC_UnTrack(dict);
#else
    (void)dict;
#endif
}

// Where the values of a dict stand, in insertion order.
class ValueSlots {
public:
    ValueSlots() noexcept = default;
    ValueSlots(char* first, std::size_t stride) noexcept : first_(first), stride_(stride) {}
    explicit operator bool() const noexcept { return first_ != nullptr; }
    PyObject*& operator[](std::size_t index) const noexcept {
        return *reinterpret_cast<PyObject**>(first_ + index * stride_);
    }

private:
    char* first_ = nullptr;
    std::size_t stride_ = 0;
};

// Empty unless `dict` has exactly `count` entries, all in use, in a table whose layout is known and has passed the self test.
BAREWIRE_INLINE ValueSlots value_slots(PyObject* dict, Py_ssize_t count) noexcept {
    internals::Table table{};
    if (!dict_tables_verified || PyDict_GET_SIZE(dict) != count || !internals::read_table(dict, table) ||
        static_cast<Py_ssize_t>(table.count) != count) {
        return {};
    }
    // The value is the last member of an entry. The dict is ours alone, so writing into it is no surprise to anyone.
    return {const_cast<char*>(table.entries) + table.stride - sizeof(PyObject*), static_cast<std::size_t>(table.stride)};
}

// Confirms by the public API that the slots of `dict` are what they seem: writes `probe` into each in turn and looks its
// key up. `keys` is in insertion order. False without an error set when they are not.
inline bool confirm_value_slots(PyObject* dict, PyObject* const* keys, Py_ssize_t count, PyObject* probe) noexcept {
    ValueSlots slots = value_slots(dict, count);
    if (!slots) return false;
    for (Py_ssize_t i = 0; i < count; ++i) {
        PyObject*& slot = slots[static_cast<std::size_t>(i)];
        PyObject* const before = PyDict_GetItemWithError(dict, keys[i]);
        if (before == nullptr || slot != before) {
            PyErr_Clear();
            return false;
        }
        slot = probe;
        const bool found = PyDict_GetItemWithError(dict, keys[i]) == probe;
        slot = before;
        if (!found) return false;
    }
    return true;
}

}  // namespace barewire::py
