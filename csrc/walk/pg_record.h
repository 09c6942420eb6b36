// Record: the values of one row with the names of their columns; a light alternative to dict.
#pragma once

#include <vector>

#include "py/python.h"
#include "py/ref.h"
#include "walk/pg_kinds.h"

namespace barewire::walk {

// What records of one statement share: a pair of (tuple of names, dict name -> position). Of equal names the last one has
// the key. Empty with a Python error set.
py::Ref make_record_keys(const std::vector<py::Ref>& names);

// Creates the heap type and keeps it in kinds.record; false with a Python error set.
[[nodiscard]] bool add_pg_record(PyObject* module, PgKinds& kinds);

// A record with `count` unset values, not tracked by the garbage collector; nullptr with MemoryError set.
PyObject* new_record(const PgKinds& kinds, PyObject* keys, Py_ssize_t count);
// One of pickle or copy: with these names and values, both tuples. Empty with a Python error set.
py::Ref record_again(PgKinds& kinds, PyObject* names, PyObject* values);
// Where its values stand; each takes over a reference.
PyObject** record_values(PyObject* record) noexcept;

}  // namespace barewire::walk
