// Making bson.ObjectId instances of given bytes without their constructor; no generation of ids.
#pragma once

#include <cstdint>

#include "py/python.h"
#include "py/ref.h"
#include "walk/kinds.h"

namespace barewire::walk {

// A new ObjectId of 12 bytes; empty with a Python error set. `kinds` must be resolved.
py::Ref make_object_id(const Kinds& kinds, const std::uint8_t* bytes);

}  // namespace barewire::walk
