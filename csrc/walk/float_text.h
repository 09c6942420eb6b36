// A float8 as the server prints it; no objects.
#pragma once

#include <cstddef>

namespace barewire::walk {

inline constexpr std::size_t longest_float_text = 32;

// Writes the fewest digits that give the number again, with an exponent below 1e-4 and from 1e15 on, without a terminator.
// The length; 0 with MemoryError set (possible only where the standard library cannot print floats).
[[nodiscard]] std::size_t put_float_text(char* out, double number);

}  // namespace barewire::walk
