// Values that say what they are by `_type_marker`, read through their public attributes: subclasses and foreign classes
// included, so user code may run. Called by walk/hook only.
#pragma once

#include <cstddef>

#include "py/python.h"
#include "walk/encoder.h"
#include "walk/scalar.h"

namespace barewire::walk {

// `_type_marker` of an object: 0 without one or when it is not an int; -1 with a Python error set.
[[nodiscard]] long type_marker(Encoder& encoder, PyObject* object);

inline constexpr long raw_document_marker = 101;

// Appends the value that the marker stands for; `other` if the marker means nothing to BSON.
[[nodiscard]] Outcome write_marked(Encoder& encoder, std::size_t type_at, PyObject* value, long marker);

// Appends the bytes of a RawBSONDocument.
[[nodiscard]] bool write_raw(Encoder& encoder, PyObject* raw_document);

}  // namespace barewire::walk
