// Layout of dict tables in CPython 3.11 to 3.13 with the GIL; included by dict.h only.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/macros.h"
#include "py/python.h"

namespace barewire::py::internals {

// Mirrors struct _dictkeysobject of Include/internal/pycore_dict.h, CPython 3.11, 3.12 and 3.13.
struct KeysLayout {
    Py_ssize_t refcount;
    std::uint8_t log2_size;
    std::uint8_t log2_index_bytes;
    std::uint8_t kind;
    std::uint32_t version;
    Py_ssize_t usable;
    Py_ssize_t nentries;
    char indices[];
};

struct Table {
    const char* entries;
    std::size_t stride;
    Py_ssize_t count;
};

// False for a split table, whose values are elsewhere. General tables (kind 0) keep the hash in front of key and value,
// tables with only `str` keys (kind 1) do not.
BAREWIRE_INLINE bool read_table(PyObject* dict, Table& table) noexcept {
    auto* object = reinterpret_cast<PyDictObject*>(dict);
    if (object->ma_values != nullptr) return false;
    auto* keys = reinterpret_cast<KeysLayout*>(object->ma_keys);
    table.entries = keys->indices + (std::size_t{1} << keys->log2_index_bytes);
    table.stride = 2 * sizeof(PyObject*) + (keys->kind == 0 ? sizeof(Py_hash_t) : 0);
    table.count = keys->nentries;
    return true;
}

inline constexpr bool can_read_tables = sizeof(void*) == 8;
inline constexpr const char* dict_layout = "3.11";

}  // namespace barewire::py::internals
