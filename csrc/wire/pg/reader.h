// Checked reading of big-endian numbers and length-prefixed fields; nothing is interpreted.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include "base/bytes.h"
#include "base/macros.h"

namespace barewire::wire::pg {

// `data` is nullptr for NULL.
struct Field {
    const std::uint8_t* data = nullptr;
    std::size_t size = 0;
    bool is_null() const noexcept { return data == nullptr; }
};

// Every `take` moves on only if what it promises lies in front of the end; false otherwise.
class Reader {
public:
    Reader(const std::uint8_t* data, std::size_t size) noexcept : at_(data), end_(data + size) {}

    std::size_t left() const noexcept { return static_cast<std::size_t>(end_ - at_); }
    bool at_end() const noexcept { return at_ == end_; }
    const std::uint8_t* at() const noexcept { return at_; }

    template <class Integer>
    [[nodiscard]] BAREWIRE_INLINE bool take(Integer& value) noexcept {
        if (BAREWIRE_UNLIKELY(left() < sizeof value)) return false;
        value = base::load_big<Integer>(at_);
        at_ += sizeof value;
        return true;
    }
    [[nodiscard]] BAREWIRE_INLINE bool take_double(double& value) noexcept {
        std::uint64_t bits;
        if (BAREWIRE_UNLIKELY(!take(bits))) return false;
        value = std::bit_cast<double>(bits);
        return true;
    }
    [[nodiscard]] BAREWIRE_INLINE bool take_bytes(std::size_t size, const std::uint8_t*& data) noexcept {
        if (BAREWIRE_UNLIKELY(left() < size)) return false;
        data = at_;
        at_ += size;
        return true;
    }
    // int32 length, -1 for NULL, and so many bytes.
    [[nodiscard]] BAREWIRE_INLINE bool take_field(Field& field) noexcept {
        std::int32_t length;
        if (BAREWIRE_UNLIKELY(!take(length))) return false;
        if (length < 0) {
            field = {};
            return length == -1;
        }
        field.size = static_cast<std::size_t>(length);
        return take_bytes(field.size, field.data);
    }

private:
    const std::uint8_t* at_;
    const std::uint8_t* end_;
};

}  // namespace barewire::wire::pg
