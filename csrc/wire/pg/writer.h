// Big-endian numbers and length prefixes written at a pointer; room must have been made before.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/bytes.h"
#include "base/macros.h"

namespace barewire::wire::pg {

// The length of a field that is NULL.
inline constexpr std::int32_t null_length = -1;

// The server accepts no message of 1 GiB or more; a field is shorter than that.
inline constexpr std::size_t max_field_size = 0x3fffffff;

template <class Integer>
BAREWIRE_INLINE std::uint8_t* put(std::uint8_t* at, Integer value) noexcept {
    base::store_big(at, value);
    return at + sizeof value;
}

BAREWIRE_INLINE std::uint8_t* put_double(std::uint8_t* at, double value) noexcept {
    return put(at, std::bit_cast<std::uint64_t>(value));
}

BAREWIRE_INLINE std::uint8_t* put_float(std::uint8_t* at, float value) noexcept {
    return put(at, std::bit_cast<std::uint32_t>(value));
}

BAREWIRE_INLINE std::uint8_t* put_bytes(std::uint8_t* at, const void* from, std::size_t size) noexcept {
    if (size != 0) std::memcpy(at, from, size);
    return at + size;
}

}  // namespace barewire::wire::pg
