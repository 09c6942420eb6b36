// Unbounded intrusive inbox: any thread pushes, one thread takes everything. No waking and no allocation may live here.
#pragma once

#include <atomic>

#include "lockfree/platform.h"

namespace barewire::lockfree {

// Base of everything that can lie in an inbox. Belongs to the inbox from push() until taken.
struct InboxNode {
    InboxNode* inbox_next = nullptr;
};

enum class Pushed {
    first,   // the inbox was empty: the consumer has to be woken
    behind,  // others lie there already; whoever was first wakes the consumer
    closed,  // refused, the node is still the caller's
};

template <class Platform = StandardPlatform>
class MpscInbox {
public:
    MpscInbox() noexcept = default;
    MpscInbox(const MpscInbox&) = delete;
    MpscInbox& operator=(const MpscInbox&) = delete;

    // Any thread.
    Pushed push(InboxNode& node) noexcept {
        InboxNode* head = head_.load(std::memory_order_relaxed);  // relaxed: a guess
        do {
            if (head == closed_mark()) return Pushed::closed;
            node.inbox_next = head;
            // release: what the pusher wrote into the node, and inbox_next; partner: take_all(), close().
        } while (!head_.compare_exchange_weak(head, &node, std::memory_order_release, std::memory_order_relaxed));
        return head ? Pushed::behind : Pushed::first;
    }

    // The consumer: everything pushed so far, oldest first, linked by inbox_next. nullptr when empty or closed.
    [[nodiscard]] InboxNode* take_all() noexcept {
        InboxNode* head = head_.load(std::memory_order_relaxed);  // relaxed: only compared with the two marks
        if (!head || head == closed_mark()) return nullptr;
        // acquire, partner: every push() below the top (an exchange continues the release sequence). Only the consumer
        // closes, so the mark cannot have appeared in between.
        return oldest_first(head_.exchange(nullptr, std::memory_order_acquire));
    }

    // The consumer, once: as take_all(), and every later push() is refused.
    [[nodiscard]] InboxNode* close() noexcept {
        InboxNode* head = head_.exchange(closed_mark(), std::memory_order_acquire);
        return head == closed_mark() ? nullptr : oldest_first(head);
    }

private:
    InboxNode* closed_mark() noexcept { return &mark_; }

    static InboxNode* oldest_first(InboxNode* newest) noexcept {
        InboxNode* oldest = nullptr;
        while (newest) {
            InboxNode* below = newest->inbox_next;
            newest->inbox_next = oldest;
            oldest = newest;
            newest = below;
        }
        return oldest;
    }

    typename Platform::template Atomic<InboxNode*> head_{nullptr};
    InboxNode mark_;  // only its address is used
};

static_assert(std::atomic<InboxNode*>::is_always_lock_free);

}  // namespace barewire::lockfree
