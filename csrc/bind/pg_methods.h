// The methods that all PostgreSQL connections share and that run something.
#pragma once

#include <cstddef>

#include "py/python.h"

namespace barewire::bind {

extern const PyMethodDef pg_statement_methods[];
extern const std::size_t pg_statement_method_count;

// Those that a pool has too: (query, *args, rows/column/timeout by name) of a connection object.
PyObject* pg_fetch(PyObject* connection, PyObject* const* arguments, Py_ssize_t given, PyObject* names);
PyObject* pg_fetchrow(PyObject* connection, PyObject* const* arguments, Py_ssize_t given, PyObject* names);
PyObject* pg_fetchval(PyObject* connection, PyObject* const* arguments, Py_ssize_t given, PyObject* names);
PyObject* pg_execute(PyObject* connection, PyObject* const* arguments, Py_ssize_t given, PyObject* names);

}  // namespace barewire::bind
