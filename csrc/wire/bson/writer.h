// Writers of BSON pieces into memory that the caller has reserved; no bounds checks and no Python here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/bytes.h"
#include "base/macros.h"
#include "wire/bson/types.h"

namespace barewire::wire::bson {

// Largest element value of fixed size (decimal128).
inline constexpr std::size_t max_scalar_size = 16;

namespace detail {

// True if one of the eight bytes is zero.
BAREWIRE_INLINE bool has_zero(std::uint64_t word) noexcept {
    return ((word - 0x0101010101010101ull) & ~word & 0x8080808080808080ull) != 0;
}

BAREWIRE_INLINE std::uint64_t load8(const char* from) noexcept {
    std::uint64_t word;
    std::memcpy(&word, from, 8);
    return word;
}

BAREWIRE_INLINE std::uint32_t load4(const char* from) noexcept {
    std::uint32_t word;
    std::memcpy(&word, from, 4);
    return word;
}

}  // namespace detail

// Copies a key and looks for a NUL byte in the same pass; false if there is one. Never reads outside the key.
BAREWIRE_INLINE bool copy_key(std::uint8_t* to, const char* key, std::size_t size) noexcept {
    using detail::has_zero, detail::load4, detail::load8;
    if (size >= 8) {
        if (BAREWIRE_UNLIKELY(size > 16)) {
            std::memcpy(to, key, size);
            return std::memchr(key, 0, size) == nullptr;
        }
        std::uint64_t head = load8(key), tail = load8(key + size - 8);
        std::memcpy(to, &head, 8);
        std::memcpy(to + size - 8, &tail, 8);
        return !(has_zero(head) | has_zero(tail));
    }
    if (size >= 4) {
        std::uint32_t head = load4(key), tail = load4(key + size - 4);
        std::memcpy(to, &head, 4);
        std::memcpy(to + size - 4, &tail, 4);
        return !has_zero((std::uint64_t{head} << 32) | tail);
    }
    bool clean = true;
    for (std::size_t i = 0; i < size; ++i) {
        to[i] = static_cast<std::uint8_t>(key[i]);
        clean &= key[i] != 0;
    }
    return clean;
}

// Copies text or binary data; short pieces without a call.
BAREWIRE_INLINE void copy_bytes(std::uint8_t* to, const char* from, std::size_t size) noexcept {
    using detail::load4, detail::load8;
    if (size >= 8 && size <= 32) {
        if (size > 16) {
            std::uint64_t first = load8(from), second = load8(from + 8);
            std::uint64_t third = load8(from + size - 16), fourth = load8(from + size - 8);
            std::memcpy(to, &first, 8);
            std::memcpy(to + 8, &second, 8);
            std::memcpy(to + size - 16, &third, 8);
            std::memcpy(to + size - 8, &fourth, 8);
            return;
        }
        std::uint64_t head = load8(from), tail = load8(from + size - 8);
        std::memcpy(to, &head, 8);
        std::memcpy(to + size - 8, &tail, 8);
        return;
    }
    if (size >= 4 && size < 8) {
        std::uint32_t head = load4(from), tail = load4(from + size - 4);
        std::memcpy(to, &head, 4);
        std::memcpy(to + size - 4, &tail, 4);
        return;
    }
    if (size < 4) {
        for (std::size_t i = 0; i < size; ++i) to[i] = static_cast<std::uint8_t>(from[i]);
        return;
    }
    std::memcpy(to, from, size);
}

// Key of an array element: "0", "1", ... kept as text in a register, first digit in the lowest byte, and incremented there.
class IndexKey {
public:
    // Bytes that `put` may write behind the key.
    static constexpr std::size_t slack = 8;

    explicit IndexKey(std::uint32_t first = 0) noexcept : index_(first) { spell(); }
    std::size_t size() const noexcept { return size_; }

    // Writes the key; what follows it is garbage.
    BAREWIRE_INLINE void put(std::uint8_t* to) const noexcept {
        if (BAREWIRE_LIKELY(size_ <= 8)) {
            base::store_little(to, digits_);
            return;
        }
        put_long(to);
    }

    BAREWIRE_INLINE void increment() noexcept {
        ++index_;
        if (BAREWIRE_LIKELY((digits_ >> shift_ & 0xFF) != '9' && size_ <= 8)) {
            digits_ += std::uint64_t{1} << shift_;
            return;
        }
        spell();
    }

private:
    // All digits anew: at every tenth step, and always from 100,000,000 on, where they do not fit the register.
    BAREWIRE_NOINLINE void spell() noexcept {
        char text[16];
        size_ = write_decimal(text);
        if (size_ > 8) return;
        digits_ = 0;
        for (std::size_t i = 0; i < size_; ++i) {
            digits_ |= std::uint64_t{static_cast<std::uint8_t>(text[i])} << (8 * i);
        }
        shift_ = static_cast<unsigned>(8 * (size_ - 1));
    }

    // An index is below 2**31, because an element needs more than one byte of a 2 GiB document: ten digits at most.
    std::size_t write_decimal(char* text) const noexcept {
        char backwards[16];
        std::size_t count = 0;
        for (std::uint32_t rest = index_; rest != 0 || count == 0; rest /= 10) {
            backwards[count++] = static_cast<char>('0' + rest % 10);
        }
        for (std::size_t i = 0; i < count; ++i) text[i] = backwards[count - 1 - i];
        return count;
    }

    BAREWIRE_NOINLINE void put_long(std::uint8_t* to) const noexcept {
        char text[16];
        std::memcpy(to, text, write_decimal(text));
    }

    std::uint64_t digits_;
    unsigned shift_ = 0;
    std::uint32_t index_;
    std::size_t size_;
};

BAREWIRE_INLINE std::uint8_t* put(std::uint8_t* at, Type type) noexcept {
    *at = static_cast<std::uint8_t>(type);
    return at + 1;
}

BAREWIRE_INLINE std::uint8_t* put(std::uint8_t* at, std::int32_t value) noexcept {
    base::store_little(at, value);
    return at + 4;
}

BAREWIRE_INLINE std::uint8_t* put(std::uint8_t* at, std::int64_t value) noexcept {
    base::store_little(at, value);
    return at + 8;
}

BAREWIRE_INLINE std::uint8_t* put(std::uint8_t* at, double value) noexcept {
    base::store_little_double(at, value);
    return at + 8;
}

// Text with its length prefix and terminator: `size` + 5 bytes.
BAREWIRE_INLINE std::uint8_t* put_text(std::uint8_t* at, const char* text, std::size_t size) noexcept {
    at = put(at, static_cast<std::int32_t>(size + 1));
    copy_bytes(at, text, size);
    at[size] = 0;
    return at + size + 1;
}

}  // namespace barewire::wire::bson
