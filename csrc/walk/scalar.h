// Values of exactly known types, read in place without running user code.
#pragma once

#include <cstddef>

#include "base/macros.h"
#include "py/python.h"
#include "walk/encoder.h"

namespace barewire::walk {

enum class Outcome { done, failed, other };

// Appends the value if its exact type is one of `Kinds` and its content is as its constructor leaves it. `other`: nothing
// was written; the general way (walk/hook) must be taken.
[[nodiscard]] Outcome write_known(Encoder& encoder, std::size_t type_at, PyObject* value, Kind kind);

// Binary data with subtype 0.
[[nodiscard]] bool write_bytes(Encoder& encoder, std::size_t type_at, PyObject* bytes);

// String with its length prefix, of a str or a subclass; the type byte is the caller's.
[[nodiscard]] bool write_text(Encoder& encoder, PyObject* text);

// One number of a known type; the type byte is written too.
[[nodiscard]] bool write_datetime(Encoder& encoder, std::size_t type_at, long long milliseconds);

// Milliseconds since the epoch of the fields of a datetime, whatever its time zone.
long long datetime_milliseconds(PyObject* datetime) noexcept;

// Binary with any subtype; the old subtype 2 repeats the length.
[[nodiscard]] bool write_binary(Encoder& encoder, std::size_t type_at, const char* data, Py_ssize_t size, int subtype);

// Regular expression of the fields that both `re.Pattern` and `Regex` have: pattern (str or bytes) and flags.
[[nodiscard]] bool write_regex(Encoder& encoder, std::size_t type_at, PyObject* pattern, long flags);

// InvalidStringData "String length must be <= 2147483647" if `size` is over `limit`.
[[nodiscard]] bool check_text_size(Encoder& encoder, Py_ssize_t size, Py_ssize_t limit);

}  // namespace barewire::walk
