// How many connections of a pool are being made, and for whom. Making them may not live here.
#pragma once

#include <atomic>
#include <cstdint>

#include "lockfree/platform.h"

namespace barewire::pool {

// For a pool with Grants::connected: its waiters are served by whoever connects, so somebody must connect as long as there
// are more waiters than pending connections and a slot is empty. That holds if begin_for_waiter() is called, until it
// returns nullptr, (1) by everyone who has queued up, (2) by everyone who has discarded a slot or released a connection
// that the pool closed, (3) by everyone who has called end(). Lock-free.
template <class Pool, class Platform = lockfree::StandardPlatform>
class PendingConnections {
public:
    using Connection = decltype(Pool::Claim::connection);

    // A slot to connect for somebody who waits, or nullptr: enough are pending, or no slot is empty.
    [[nodiscard]] Connection begin_for_waiter(Pool& pool, std::uint32_t limit) noexcept {
        for (;;) {
            // seq_cst, partners: end(), and the pool's announcement of waiters: of a new waiter who still sees this
            // connection as pending and of the one who ends it, one sees the other.
            std::uint32_t now = count_.load(std::memory_order_seq_cst);
            if (now >= limit || now >= pool.waiting()) return nullptr;
            if (!count_.compare_exchange_strong(now, now + 1, std::memory_order_seq_cst, std::memory_order_seq_cst))
                continue;
            if (Connection slot = pool.reserve_for_connecting()) return slot;
            if (!take_back(pool)) return nullptr;
        }
    }

    // A slot to connect although nobody waits, or nullptr: some are pending, or no slot is empty. After nullptr,
    // begin_for_waiter() has to be called too.
    [[nodiscard]] Connection begin_alone(Pool& pool) noexcept {
        std::uint32_t none = 0;
        if (!count_.compare_exchange_strong(none, 1, std::memory_order_seq_cst, std::memory_order_seq_cst)) return nullptr;
        if (Connection slot = pool.reserve_for_connecting()) return slot;
        take_back(pool);
        return nullptr;
    }

    // After the connection has been released, or its slot discarded.
    void end() noexcept { count_.fetch_sub(1, std::memory_order_seq_cst); }

    [[nodiscard]] std::uint32_t count() const noexcept { return count_.load(std::memory_order_seq_cst); }

private:
    // No slot was empty. One may have been discarded since, by somebody who saw this count and left the connecting to us:
    // so count down first and look then. True: try again.
    bool take_back(Pool& pool) noexcept {
        end();
        return pool.can_reserve();
    }

    typename Platform::template Atomic<std::uint32_t> count_{0};
};

}  // namespace barewire::pool
