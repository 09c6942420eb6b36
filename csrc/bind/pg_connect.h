// Making the session of a connection object, on an event loop or on a thread.
#pragma once

#include "bind/pg_types.h"
#include "py/python.h"

namespace barewire::bind {

// Opens it: a future of None, or None. nullptr with a Python error set.
PyObject* connect_session(PyObject* connection);

}  // namespace barewire::bind
