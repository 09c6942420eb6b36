// Layout of dict tables in CPython 3.10, where pycore_dict.h is not shipped; included by dict.h only.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/macros.h"
#include "py/python.h"

namespace barewire::py::internals {

// Mirrors struct _dictkeysobject of Objects/dict-common.h, CPython 3.10.
struct KeysLayout {
    Py_ssize_t refcount;
    Py_ssize_t size;
    void* lookup;
    Py_ssize_t usable;
    Py_ssize_t nentries;
    char indices[];
};

struct Table {
    const char* entries;
    std::size_t stride;
    Py_ssize_t count;
};

// False for a split table, whose values are elsewhere.
BAREWIRE_INLINE bool read_table(PyObject* dict, Table& table) noexcept {
    auto* object = reinterpret_cast<PyDictObject*>(dict);
    if (object->ma_values != nullptr) return false;
    auto* keys = reinterpret_cast<KeysLayout*>(object->ma_keys);
    std::size_t index_size = keys->size <= 0xff ? 1 : keys->size <= 0xffff ? 2 : keys->size <= 0xffffffffLL ? 4 : 8;
    table.entries = keys->indices + static_cast<std::size_t>(keys->size) * index_size;
    table.stride = sizeof(Py_hash_t) + 2 * sizeof(PyObject*);
    table.count = keys->nentries;
    return true;
}

inline constexpr bool can_read_tables = sizeof(void*) == 8;
inline constexpr const char* dict_layout = "3.10";

}  // namespace barewire::py::internals
