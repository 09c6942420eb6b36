// Lock-free LIFO of small integers (a Treiber stack with a tag against ABA). It owns the head only: the links belong to
// the elements. Nothing about connections or memory management may live here.
#pragma once

#include <atomic>
#include <cstdint>

#include "lockfree/platform.h"

namespace barewire::lockfree {

// The caller passes `links`: a callable index -> Platform::Atomic<uint32_t>&, the cell that holds the index below
// `index`. A cell must stay readable as long as the stack lives, also while its index is not on the stack: a popper may
// read the link of an index that another thread has just popped (the value is then thrown away because the tag moved).
//
// Head = tag << 32 | index. Every successful push and pop adds TagStep to the tag, so a head that was seen before
// differs although the same index came back. A popper would have to sleep through exactly a multiple of 2^32
// operations to be fooled. TagStep 0 exists only for the test that shows the interleaving search finding that bug.
//
// Orders. The compare-exchange in push() and pop() and the load in pop() and empty() are sequentially consistent for
// two reasons: push releases what the pusher wrote into the element, its partner is the load in pop() or take_all() of
// the next owner; and users that pair "push, then look for waiters" with "announce a waiter, then pop" need all four in
// one total order. On x86-64 this costs nothing over acquire/release. Links are relaxed: they are read between a load
// of the head and a compare-exchange that fails when the head moved.
template <class Platform = StandardPlatform, std::uint32_t TagStep = 1>
class TaggedStack {
public:
    static constexpr std::uint32_t none = 0xffffffffu;

    TaggedStack() noexcept : head_(pack(0, none)) {}
    TaggedStack(const TaggedStack&) = delete;
    TaggedStack& operator=(const TaggedStack&) = delete;

    // Puts `index` on top. The caller must own the element; afterwards it may not touch it any more.
    template <class Links>
    void push(std::uint32_t index, Links&& links) noexcept {
        // relaxed: only a first guess, the compare-exchange decides.
        std::uint64_t head = head_.load(std::memory_order_relaxed);
        do {
            // relaxed: published by the compare-exchange below.
            links(index).store(index_of(head), std::memory_order_relaxed);
            // seq_cst: releases the element to pop()/take_all(); failure relaxed: nothing was taken.
        } while (!head_.compare_exchange_weak(head, pack(tag_of(head) + TagStep, index), std::memory_order_seq_cst,
                                              std::memory_order_relaxed));
    }

    // Takes the index that was pushed last, `none` when empty. The element then belongs to the caller.
    template <class Links>
    [[nodiscard]] std::uint32_t pop(Links&& links) noexcept {
        // seq_cst (acquire: partner of push()): the link of this index was written before the push.
        std::uint64_t head = head_.load(std::memory_order_seq_cst);
        for (;;) {
            const std::uint32_t index = index_of(head);
            if (index == none) return none;
            // relaxed: ordered by the load above; stale when the head moved, and then the exchange fails.
            const std::uint32_t below = links(index).load(std::memory_order_relaxed);
            // seq_cst (acquire on success and failure: partner of push()).
            if (head_.compare_exchange_weak(head, pack(tag_of(head) + TagStep, below), std::memory_order_seq_cst,
                                            std::memory_order_seq_cst))
                return index;
        }
    }

    // Takes the whole stack; the links then lead from the returned index (the top) down to `none`.
    [[nodiscard]] std::uint32_t take_all() noexcept {
        std::uint64_t head = head_.load(std::memory_order_relaxed);  // relaxed: a guess
        // seq_cst (acquire: partner of every push() below the top; a compare-exchange continues the release sequence).
        while (index_of(head) != none &&
               !head_.compare_exchange_weak(head, pack(tag_of(head) + TagStep, none), std::memory_order_seq_cst,
                                            std::memory_order_relaxed)) {
        }
        return index_of(head);
    }

    // A hint when other threads are at work.
    [[nodiscard]] bool empty() const noexcept { return index_of(head_.load(std::memory_order_seq_cst)) == none; }

private:
    static constexpr std::uint64_t pack(std::uint32_t tag, std::uint32_t index) noexcept {
        return std::uint64_t{tag} << 32 | index;
    }
    static constexpr std::uint32_t index_of(std::uint64_t head) noexcept { return static_cast<std::uint32_t>(head); }
    static constexpr std::uint32_t tag_of(std::uint64_t head) noexcept { return static_cast<std::uint32_t>(head >> 32); }

    typename Platform::template Atomic<std::uint64_t> head_;
};

static_assert(std::atomic<std::uint64_t>::is_always_lock_free, "the head must be one lock-free word");
static_assert(sizeof(TaggedStack<>) == sizeof(std::uint64_t), "the stack is its head and nothing else");

}  // namespace barewire::lockfree
