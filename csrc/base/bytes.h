// Unaligned loads and stores in a fixed byte order; nothing that allocates may live here.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "base/macros.h"

namespace barewire::base {

static_assert(std::endian::native == std::endian::little || std::endian::native == std::endian::big);

template <class Integer>
BAREWIRE_INLINE Integer byte_swap(Integer value) noexcept {
    static_assert(std::is_integral_v<Integer>);
    if constexpr (sizeof(Integer) == 1) return value;
    if constexpr (sizeof(Integer) == 2) return static_cast<Integer>(__builtin_bswap16(static_cast<uint16_t>(value)));
    if constexpr (sizeof(Integer) == 4) return static_cast<Integer>(__builtin_bswap32(static_cast<uint32_t>(value)));
    if constexpr (sizeof(Integer) == 8) return static_cast<Integer>(__builtin_bswap64(static_cast<uint64_t>(value)));
}

template <class Integer>
BAREWIRE_INLINE Integer load_little(const void* from) noexcept {
    Integer value;
    std::memcpy(&value, from, sizeof value);
    if constexpr (std::endian::native == std::endian::big) value = byte_swap(value);
    return value;
}

template <class Integer>
BAREWIRE_INLINE void store_little(void* to, Integer value) noexcept {
    if constexpr (std::endian::native == std::endian::big) value = byte_swap(value);
    std::memcpy(to, &value, sizeof value);
}

template <class Integer>
BAREWIRE_INLINE Integer load_big(const void* from) noexcept {
    Integer value;
    std::memcpy(&value, from, sizeof value);
    if constexpr (std::endian::native == std::endian::little) value = byte_swap(value);
    return value;
}

template <class Integer>
BAREWIRE_INLINE void store_big(void* to, Integer value) noexcept {
    if constexpr (std::endian::native == std::endian::little) value = byte_swap(value);
    std::memcpy(to, &value, sizeof value);
}

BAREWIRE_INLINE double load_little_double(const void* from) noexcept {
    return std::bit_cast<double>(load_little<uint64_t>(from));
}

BAREWIRE_INLINE void store_little_double(void* to, double value) noexcept {
    store_little<uint64_t>(to, std::bit_cast<uint64_t>(value));
}

}  // namespace barewire::base
