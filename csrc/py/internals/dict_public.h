// No private layout: every dict is walked by PyDict_Next. For unknown and free-threaded builds, and for
// BAREWIRE_INTERNALS=public; included by dict.h only.
#pragma once

#include <cstddef>

#include "base/macros.h"
#include "py/python.h"

namespace barewire::py::internals {

struct Table {
    const char* entries;
    std::size_t stride;
    Py_ssize_t count;
};

BAREWIRE_INLINE bool read_table(PyObject*, Table&) noexcept { return false; }

inline constexpr bool can_read_tables = false;
inline constexpr const char* dict_layout = "public";

}  // namespace barewire::py::internals
