// Size of the unit that cores exchange. Nothing else may live here.
#pragma once

#include <cstddef>

namespace barewire::lockfree {

// std::hardware_destructive_interference_size changes with compiler flags (gcc warns for exactly that reason), so the
// figure is written down: 128 where cores fetch lines in pairs or have 128-byte lines, else 64.
#if defined(__x86_64__) || defined(__aarch64__) || defined(__powerpc64__)
inline constexpr std::size_t cacheline = 128;
#else
inline constexpr std::size_t cacheline = 64;
#endif

static_assert((cacheline & (cacheline - 1)) == 0, "alignment must be a power of two");

}  // namespace barewire::lockfree
