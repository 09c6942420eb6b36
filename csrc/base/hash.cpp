// xxHash (XXH3) behind base/hash.h; the only file that includes xxhash.h.
#include "base/hash.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace barewire::base {

std::uint64_t hash_bytes(const void* data, std::size_t size) noexcept { return XXH3_64bits(data, size); }

}  // namespace barewire::base
