// Fast hash of short byte strings for caches inside one process; not stable between versions, not for security.
#pragma once

#include <cstddef>
#include <cstdint>

namespace barewire::base {

std::uint64_t hash_bytes(const void* data, std::size_t size) noexcept;

}  // namespace barewire::base
