// Figures of a pool at one moment. Plain data only.
#pragma once

#include <cstdint>

namespace barewire::pool {

// Taken slot by slot while other threads go on, so the parts need not add up exactly under load.
struct Stats {
    std::uint32_t max_size = 0;    // slots that may ever be connected at the same time
    std::uint32_t idle = 0;        // connected and free
    std::uint32_t claimed = 0;     // connecting or in use
    std::uint32_t waiting = 0;     // queued waiters
    std::uint32_t generation = 0;  // number of clear() calls
    std::uint64_t claims = 0;      // how often a slot was handed out, since the pool was made
};

}  // namespace barewire::pool
