// A few large buffers that replies land in, kept between operations: a fresh big mapping costs a page fault per 4 kB.
#pragma once

#include <cstddef>

#include "base/buffer.h"

namespace barewire::net::mongo {

// Receiving starts with room for this much, so that header and a small reply come in one system call.
inline constexpr std::size_t first_receive = 64 * 1024;

// Makes `buffer` able to hold `size` bytes in all, keeping its content; takes a kept buffer if one fits. False: no memory.
[[nodiscard]] bool take_reply_buffer(base::Buffer& buffer, std::size_t size) noexcept;
// Keeps the memory of `buffer` for later, or frees it. The buffer is empty afterwards. Any thread.
void keep_reply_buffer(base::Buffer& buffer) noexcept;

}  // namespace barewire::net::mongo
