// Cloning a dict of known keys and writing its values in place, instead of inserting key by key; private dict layout.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/macros.h"
#include "py/python.h"
#include "py/ref.h"

#if !defined(BAREWIRE_PUBLIC_INTERNALS) && !defined(Py_GIL_DISABLED) && PY_VERSION_HEX < 0x030f0000
#define BAREWIRE_DICT_FILL 1
#endif

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

#ifdef BAREWIRE_DICT_FILL

// The values of a combined table whose keys are all str, in insertion order.
struct ValueSlots {
    PyObject** first = nullptr;
    std::size_t stride = 0;  // in pointers
    PyObject*& operator[](std::size_t index) const noexcept { return first[index * stride]; }
    explicit operator bool() const noexcept { return first != nullptr; }
};

#if PY_VERSION_HEX >= 0x030b0000
// Mirrors struct _dictkeysobject of 3.11-3.14 (default build).
struct DictKeys {
    Py_ssize_t reference_count;
    std::uint8_t log2_size;
    std::uint8_t log2_index_bytes;
    std::uint8_t kind;  // 1: every key is a str and entries are {key, value}
    std::uint32_t version;
    Py_ssize_t usable;
    Py_ssize_t entries;
};
#else
// Mirrors struct _dictkeysobject of 3.10; entries are {hash, key, value}.
struct DictKeys {
    Py_ssize_t reference_count;
    Py_ssize_t size;
    void* lookup;
    Py_ssize_t usable;
    Py_ssize_t entries;
};
#endif

// Empty unless `dict` has exactly `count` entries, all of them in use, in a combined table of str keys.
BAREWIRE_INLINE ValueSlots value_slots(PyObject* dict, Py_ssize_t count) noexcept {
    auto* object = reinterpret_cast<PyDictObject*>(dict);
    auto* keys = reinterpret_cast<DictKeys*>(object->ma_keys);
    if (object->ma_values != nullptr || object->ma_used != count || keys->entries != count) return {};
    auto* indices = reinterpret_cast<char*>(keys + 1);
#if PY_VERSION_HEX >= 0x030b0000
    if (keys->kind != 1) return {};
    return {reinterpret_cast<PyObject**>(indices + (std::size_t{1} << keys->log2_index_bytes)) + 1, 2};
#else
    const std::size_t index_size = keys->size <= 0xff ? 1 : keys->size <= 0xffff ? 2 : 4;
    return {reinterpret_cast<PyObject**>(indices + static_cast<std::size_t>(keys->size) * index_size) + 2, 3};
#endif
}

// Confirms by the public API that the slots of `dict` are what they seem: writes `probe` into each in turn and looks its
// key up. `keys` is in insertion order. False without an error set when they are not.
inline bool confirm_value_slots(PyObject* dict, PyObject* const* keys, Py_ssize_t count, PyObject* probe) noexcept {
    ValueSlots slots = value_slots(dict, count);
    if (!slots) return false;
    for (Py_ssize_t i = 0; i < count; ++i) {
        PyObject* const before = PyDict_GetItemWithError(dict, keys[i]);
        if (before == nullptr || slots[static_cast<std::size_t>(i)] != before) {
            PyErr_Clear();
            return false;
        }
        slots[static_cast<std::size_t>(i)] = probe;
        const bool found = PyDict_GetItemWithError(dict, keys[i]) == probe;
        slots[static_cast<std::size_t>(i)] = before;
        if (!found) return false;
    }
    return true;
}

#endif

}  // namespace barewire::py
