// One place in a pool: the connection object and the pool's bookkeeping beside it. No policy may live here.
#pragma once

#include <atomic>
#include <cstdint>

#include "lockfree/cacheline.h"
#include "lockfree/platform.h"

namespace barewire::pool {

// What a slot is used for. Only a statistic: ownership is decided by the stacks, never by this field.
enum class SlotState : std::uint8_t {
    empty,    // no connection; free to be reserved
    idle,     // connected, waiting in the pool
    claimed,  // owned by a caller: connecting or in use
};

// The slot *is* the connection (derives from it), so a Connection* leads back to its slot by a static_cast. It is created
// once, default-constructed and unconnected, and lives exactly as long as its pool: a Connection* never dangles.
template <class Connection, class Platform = lockfree::StandardPlatform>
struct alignas(lockfree::cacheline) Slot final : Connection {
    explicit Slot(std::uint32_t index_) noexcept : index(index_) {}

    // Position in the pool; never changes.
    const std::uint32_t index;
    // The pool's generation when this slot was claimed empty. Plain: only the owner touches it, and ownership moves
    // through a stack or the waiters' mutex, which order it.
    std::uint32_t generation = 0;
    // Link of the stack this slot is on. Relaxed everywhere; see lockfree/tagged_stack.h.
    typename Platform::template Atomic<std::uint32_t> next{0xffffffffu};
    // Statistics, written by the owner, read by anyone. Relaxed without partner: the figures may be a moment old.
    std::atomic<SlotState> state{SlotState::empty};
    std::atomic<std::uint64_t> claims{0};
};

}  // namespace barewire::pool
