// Datetimes with a time zone other than UTC: their own utcoffset() is asked, so user code may run.
#pragma once

#include <cstddef>

#include "py/python.h"
#include "walk/encoder.h"

namespace barewire::walk {

// Appends a datetime or an instance of a subclass. The errors are those of `value.utcoffset()` and `value - offset`.
[[nodiscard]] bool write_zoned(Encoder& encoder, std::size_t type_at, PyObject* value);

}  // namespace barewire::walk
