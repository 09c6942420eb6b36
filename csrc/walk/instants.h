// BSON datetimes -> datetime or DatetimeMS objects, by the codec options.
#pragma once

#include <cstdint>

#include "py/python.h"
#include "walk/kinds.h"
#include "walk/options.h"
#include "walk/values.h"

namespace barewire::walk {

// New reference, or nullptr with the error that `bson` raises before it is wrapped into InvalidBSON.
PyObject* new_instant(const Kinds& kinds, const Values& values, const CodecOptions& options, std::int64_t milliseconds);

}  // namespace barewire::walk
