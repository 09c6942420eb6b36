// A growable byte buffer that is reused between calls; it knows nothing of what is written into it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/bytes.h"
#include "base/macros.h"

namespace barewire::base {

// Bytes are appended at the end; nothing is shifted. Allocation failure is reported by `false`/nullptr, never
// by an exception. A cleared buffer keeps its memory up to the limit given to `trim`.
class Buffer {
public:
    Buffer() noexcept = default;
    ~Buffer();
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    Buffer(Buffer&& other) noexcept : data_(other.data_), size_(other.size_), capacity_(other.capacity_) {
        other.data_ = nullptr;
        other.size_ = other.capacity_ = 0;
    }
    Buffer& operator=(Buffer&& other) noexcept;

    std::uint8_t* data() noexcept { return data_; }
    const std::uint8_t* data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }
    std::size_t capacity() const noexcept { return capacity_; }
    bool empty() const noexcept { return size_ == 0; }

    void clear() noexcept { size_ = 0; }
    // Cuts back to an earlier size (undoing a partly written document).
    void truncate(std::size_t size) noexcept { size_ = size; }
    // Gives memory above `limit` back to the allocator; call it on an empty buffer.
    void trim(std::size_t limit) noexcept;

    // Makes room for `extra` more bytes behind the end.
    [[nodiscard]] BAREWIRE_INLINE bool reserve(std::size_t extra) noexcept {
        if (BAREWIRE_LIKELY(capacity_ - size_ >= extra)) return true;
        return grow(extra);
    }
    // The first free byte; valid for as many bytes as were reserved.
    BAREWIRE_INLINE std::uint8_t* tail() noexcept { return data_ + size_; }
    // Declares `count` bytes behind the end as written; they must have been reserved.
    BAREWIRE_INLINE void advance(std::size_t count) noexcept { size_ += count; }

    [[nodiscard]] BAREWIRE_INLINE bool append(const void* from, std::size_t count) noexcept {
        if (BAREWIRE_UNLIKELY(!reserve(count))) return false;
        if (count) std::memcpy(data_ + size_, from, count);
        size_ += count;
        return true;
    }
    template <class Integer>
    [[nodiscard]] BAREWIRE_INLINE bool append_little(Integer value) noexcept {
        if (BAREWIRE_UNLIKELY(!reserve(sizeof value))) return false;
        store_little(data_ + size_, value);
        size_ += sizeof value;
        return true;
    }
    void swap(Buffer& other) noexcept;

private:
    BAREWIRE_COLD bool grow(std::size_t extra) noexcept;

    std::uint8_t* data_ = nullptr;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

}  // namespace barewire::base
