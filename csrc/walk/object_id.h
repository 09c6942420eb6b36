// Making bson.ObjectId instances without their constructor, and the bytes of new ones.
#pragma once

#include <cstdint>

#include "py/python.h"
#include "py/ref.h"
#include "walk/kinds.h"

namespace barewire::walk {

// A new ObjectId of 12 bytes; empty with a Python error set. `kinds` must be resolved.
py::Ref make_object_id(const Kinds& kinds, const std::uint8_t* bytes);

// The 12 bytes of a new id as a bytes object; empty with a Python error set.
py::Ref new_object_id_bytes();

}  // namespace barewire::walk
