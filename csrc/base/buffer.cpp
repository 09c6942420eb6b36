// Growth and release of base::Buffer; the only place where it allocates.
#include "base/buffer.h"

#include <cstdlib>
#include <limits>
#include <utility>

namespace barewire::base {

Buffer::~Buffer() { std::free(data_); }

Buffer& Buffer::operator=(Buffer&& other) noexcept {
    if (this != &other) {
        std::free(data_);
        data_ = std::exchange(other.data_, nullptr);
        size_ = std::exchange(other.size_, 0);
        capacity_ = std::exchange(other.capacity_, 0);
    }
    return *this;
}

void Buffer::swap(Buffer& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
}

bool Buffer::grow(std::size_t extra) noexcept {
    if (extra > std::numeric_limits<std::size_t>::max() / 2 - size_) return false;
    std::size_t needed = size_ + extra;
    // Growth by 1.5 lets the allocator reuse the blocks that earlier growth has freed.
    std::size_t wanted = capacity_ + capacity_ / 2;
    if (wanted < needed) wanted = needed;
    if (wanted < 512) wanted = 512;
    void* memory = std::realloc(data_, wanted);
    if (memory == nullptr) return false;
    data_ = static_cast<std::uint8_t*>(memory);
    capacity_ = wanted;
    return true;
}

void Buffer::trim(std::size_t limit) noexcept {
    if (capacity_ <= limit || size_ > limit) return;
    void* memory = limit == 0 ? nullptr : std::realloc(data_, limit);
    if (limit == 0) std::free(data_);
    if (limit != 0 && memory == nullptr) return;
    data_ = static_cast<std::uint8_t*>(memory);
    capacity_ = limit;
}

}  // namespace barewire::base
