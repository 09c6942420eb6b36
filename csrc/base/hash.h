// Fast hash of short byte strings for caches inside one process; not stable between versions, not for security.
#pragma once

#include <cstddef>
#include <cstdint>

namespace barewire::base {

std::uint64_t hash_bytes(const void* data, std::size_t size) noexcept;

// Wide enough that two different keys of one process never meet in practice; whoever must be sure compares the bytes too.
struct Hash128 {
    std::uint64_t low = 0, high = 0;
    bool operator==(const Hash128&) const noexcept = default;
};
// `seed` takes in what belongs to the key besides the bytes.
Hash128 hash_bytes_wide(const void* data, std::size_t size, std::uint64_t seed = 0) noexcept;

}  // namespace barewire::base
