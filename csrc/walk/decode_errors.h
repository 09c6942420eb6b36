// Errors of the BSON decoder, in the classes and words of bson's own C extension.
#pragma once

#include <cstdint>

#include "base/macros.h"
#include "py/python.h"
#include "walk/kinds.h"

namespace barewire::walk {

// Sets InvalidBSON(text); returns nullptr for convenience.
BAREWIRE_COLD PyObject* invalid_bson(const Kinds& kinds, const char* text);

// Turns the error that is set into InvalidBSON(str(error)) if it is an Exception of another class; without an error set,
// InvalidBSON("invalid length or type code"). Returns nullptr.
BAREWIRE_COLD PyObject* wrapped_invalid_bson(const Kinds& kinds);

BAREWIRE_COLD PyObject* unknown_type(const Kinds& kinds, std::uint8_t type, PyObject* key);
BAREWIRE_COLD PyObject* invalid_boolean(const Kinds& kinds, std::uint8_t value);

// Adds to a ValueError that is set the advice that `bson` gives for dates outside datetime's range. Returns nullptr.
BAREWIRE_COLD PyObject* date_out_of_range();

}  // namespace barewire::walk
