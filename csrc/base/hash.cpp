// xxHash (XXH3) behind base/hash.h; the only file that includes xxhash.h.
#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace barewire::base {

std::uint64_t hash_bytes(const void* data, std::size_t size) noexcept { return XXH3_64bits(data, size); }

Hash128 hash_bytes_wide(const void* data, std::size_t size, std::uint64_t seed) noexcept {
    const XXH128_hash_t hash = XXH3_128bits_withSeed(data, size, seed);
    return {hash.low64, hash.high64};
}

}  // namespace barewire::base
