// Bounded queue of trivially copyable values: any number of producers, one consumer. No waiting and no waking may live
// here.
#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <type_traits>

#include "lockfree/cacheline.h"
#include "lockfree/platform.h"

namespace barewire::lockfree {

// Each cell carries a turn number: position p may be written when turn == p and read when turn == p + 1; the consumer
// then sets it to p + capacity for the next lap. Producers take positions by a compare-exchange on tail_.
//
// Not wait-free: a producer that is suspended between taking its position and writing the cell hides later values from
// the consumer until it goes on. Reasons not to use it: unbounded work (MpscInbox), or large values.
template <class T, class Platform = StandardPlatform>
class MpscRing {
    static_assert(std::is_trivially_copyable_v<T>, "values are copied without care");

public:
    // Rounded up to a power of two, at least 2. Throws std::bad_alloc.
    explicit MpscRing(std::size_t capacity)
        : mask_(std::bit_ceil(capacity < 2 ? std::size_t{2} : capacity) - 1), cells_(new Cell[mask_ + 1]) {
        for (std::size_t i = 0; i <= mask_; ++i) cells_[i].turn.store(i, std::memory_order_relaxed);
    }
    MpscRing(const MpscRing&) = delete;
    MpscRing& operator=(const MpscRing&) = delete;

    std::size_t capacity() const noexcept { return mask_ + 1; }

    // Any thread. False when full.
    [[nodiscard]] bool try_push(const T& value) noexcept {
        std::uint64_t position = tail_.load(std::memory_order_relaxed);  // relaxed: a guess
        for (;;) {
            Cell& cell = cells_[position & mask_];
            // acquire, partner: the store in try_pop(); the consumer has copied the old value before we overwrite it.
            const std::uint64_t turn = cell.turn.load(std::memory_order_acquire);
            const auto ahead = static_cast<std::int64_t>(turn - position);
            if (ahead < 0) return false;
            if (ahead > 0) {
                position = tail_.load(std::memory_order_relaxed);  // another producer was faster
                continue;
            }
            // relaxed: decides who writes the cell; the value is published by the turn below.
            if (tail_.compare_exchange_weak(position, position + 1, std::memory_order_relaxed,
                                            std::memory_order_relaxed)) {
                cell.value = value;
                // release, partner: the load in try_pop().
                cell.turn.store(position + 1, std::memory_order_release);
                return true;
            }
        }
    }

    // The consumer only. False when empty (or when the next value is still being written).
    [[nodiscard]] bool try_pop(T& value) noexcept {
        Cell& cell = cells_[head_ & mask_];
        // acquire, partner: the store in try_push().
        if (cell.turn.load(std::memory_order_acquire) != head_ + 1) return false;
        value = cell.value;
        // release, partner: the load in try_push().
        cell.turn.store(head_ + mask_ + 1, std::memory_order_release);
        ++head_;
        return true;
    }

private:
    struct Cell {
        typename Platform::template Atomic<std::uint64_t> turn{0};
        T value{};
    };

    const std::size_t mask_;
    const std::unique_ptr<Cell[]> cells_;
    alignas(cacheline) typename Platform::template Atomic<std::uint64_t> tail_{0};
    alignas(cacheline) std::uint64_t head_ = 0;  // the consumer's own
};

static_assert(std::atomic<std::uint64_t>::is_always_lock_free);

}  // namespace barewire::lockfree
