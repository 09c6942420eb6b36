// The session's time zone: an instant in it, the short way where there is one.
#pragma once

#include "py/python.h"
#include "py/ref.h"
#include "walk/pg_kinds.h"

namespace barewire::walk {

// True if the zone is UTC under any of its names in the zone database, so that an instant needs no conversion. Remembers the
// zone it was asked for last. Runs no user code.
[[nodiscard]] bool zone_is_utc(PgKinds& kinds, PyObject* zone);

// zone.fromutc(datetime); nullptr with a Python error set. Without a Python-level call where the zone's class has it in C.
PyObject* zone_fromutc(PgKinds& kinds, PyObject* zone, PyObject* datetime);

}  // namespace barewire::walk
