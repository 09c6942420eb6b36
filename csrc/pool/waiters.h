// FIFO of callers that wait for a slot: intrusive, without allocation and without a lock of its own (the pool holds its
// mutex around every call). Nothing about connections may live here.
#pragma once

#include <chrono>
#include <cstdint>

namespace barewire::pool {

using TimePoint = std::chrono::steady_clock::time_point;

class WaiterQueue;

// The links of one waiter. Lives inside the caller's operation and must stay where it is while queued.
class WaiterNode {
public:
    WaiterNode() noexcept = default;
    WaiterNode(const WaiterNode&) = delete;
    WaiterNode& operator=(const WaiterNode&) = delete;

    // When Pool::expire() gives this waiter up; time_point::max() = never. Set before queueing.
    TimePoint deadline = TimePoint::max();

private:
    friend class WaiterQueue;
    WaiterNode* previous_ = nullptr;
    WaiterNode* next_ = nullptr;
    bool queued_ = false;
};

class WaiterQueue {
public:
    WaiterQueue() noexcept = default;
    WaiterQueue(const WaiterQueue&) = delete;
    WaiterQueue& operator=(const WaiterQueue&) = delete;

    void push_back(WaiterNode& node) noexcept;
    // The one that waits longest, nullptr when empty.
    WaiterNode* pop_front() noexcept;
    // O(1). False when the node is not queued (any more).
    bool remove(WaiterNode& node) noexcept;
    // Takes out the first one whose deadline is not after `now`, nullptr when there is none. Linear: deadlines differ
    // from caller to caller, and this runs once per timer tick, not per operation.
    WaiterNode* pop_expired(TimePoint now) noexcept;
    // The earliest deadline, time_point::max() when nobody has one.
    TimePoint next_deadline() const noexcept;
    std::uint32_t size() const noexcept { return size_; }

private:
    WaiterNode* first_ = nullptr;
    WaiterNode* last_ = nullptr;
    std::uint32_t size_ = 0;
};

}  // namespace barewire::pool
