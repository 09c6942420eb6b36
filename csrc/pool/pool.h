// The connection pool of both databases: who may use which slot, and who waits. Connecting, checking and timing
// connections is the caller's business and may not live here.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <type_traits>
#include <utility>

#include "lockfree/cacheline.h"
#include "lockfree/platform.h"
#include "lockfree/tagged_stack.h"
#include "pool/slot.h"
#include "pool/slots.h"
#include "pool/stats.h"
#include "pool/waiters.h"

namespace barewire::pool {

// What wait() or acquire() did.
enum class Waiting : std::uint8_t {
    queued,   // Waiter::grant() will be called, unless cancel() or expire() takes the waiter out first
    granted,  // the claim is filled; the waiter is not queued and grant() will not be called
    closed,   // the pool is closed; nothing will happen
};

// What a waiter may be granted.
enum class Grants : std::uint8_t {
    any,        // an idle connection, else an empty slot that the waiter connects itself
    connected,  // idle connections only: somebody else connects slots of reserve_for_connecting() and releases them, so that
                // a waiter is served by whichever comes first, a released or a new connection
};

// Connection: a class that is not final, default-constructible without throwing, with `void close() noexcept` (called
// for connections of an older generation, on whichever thread meets them; afterwards the object is unconnected and may
// be connected again).
//
// Ownership. Every slot is at any moment on the idle stack, on the stack of empty slots, or owned by exactly one caller.
// try_acquire, try_reserve and grants hand ownership out; release and discard take it back. All are lock-free while
// nobody waits; the list of waiters is FIFO under a mutex.
//
// Fairness. Nobody overtakes: while anyone is queued, try_acquire and try_reserve return nullptr, so that the caller
// queues up too, and a released slot goes straight to the first in the queue. (A caller that looked just before the
// first waiter announced itself may still take a slot that is released just after: one slot, once per such caller.)
//
// Why no wake-up is lost. A releasing thread pushes its slot (1) and then reads `waiting_` (2). A waiting thread writes
// `waiting_` (3) and then pops (4). All four are sequentially consistent, so they stand in one total order: if (4) missed
// the slot, then (4) < (1), hence (3) < (2), the releaser sees the waiter and serves it under the mutex. `waiting_` equals
// the length of the queue whenever the mutex is free. tests/cpp/pool/test_pool_interleavings.cpp enumerates it.
//
// Fork. The child must never touch or destroy a pool made by its parent: sockets in it belong to the parent, the mutex may
// be held by a thread that does not exist any more. The child drops the whole object (leaks it) and makes a new one.
//
// CheckAgain = false leaves step (2) out; it exists only to show that the interleaving test finds the lost wake-up.
template <class Connection, class Platform = lockfree::StandardPlatform, bool CheckAgain = true>
class Pool {
    using PoolSlot = Slot<Connection, Platform>;
    template <class T>
    using Atomic = typename Platform::template Atomic<T>;

    static_assert(std::is_nothrow_default_constructible_v<Connection>, "slots are made while nothing can be reported");
    static_assert(noexcept(std::declval<Connection&>().close()), "close() runs inside release()");

public:
    static constexpr std::uint32_t largest_size = 65535;

    // A slot handed out: a connection that is ready for use, or an object that the new owner has to connect.
    struct Claim {
        Connection* connection = nullptr;
        bool connected = false;
        explicit operator bool() const noexcept { return connection != nullptr; }
    };

    class Waiter : public WaiterNode {
    public:
        // The slot is the waiter's from now on. Called on the thread that released the slot, with no lock held; it may
        // call the pool. The waiter may be destroyed or queued again from inside.
        virtual void grant(Connection& connection, bool connected) noexcept = 0;

    protected:
        ~Waiter() = default;

    private:
        friend class Pool;
        Waiter* next_taken_ = nullptr;
        Claim claim_;
    };

    // max_size: 1 to 65,535 slots; values outside are clamped. Throws std::bad_alloc (8 bytes per slot; the slots
    // themselves are made when first needed).
    explicit Pool(std::uint32_t max_size, Grants grants = Grants::any)
        : grants_(grants), max_size_(max_size < 1 ? 1 : max_size > largest_size ? largest_size : max_size),
          slots_(max_size_) {}

    Pool(const Pool&) = delete;
    Pool& operator=(const Pool&) = delete;

    // No slot may be owned by a caller and nobody may wait.
    ~Pool() = default;

    // The idle connection that was released last, or nullptr when there is none or others wait already. Lock-free.
    [[nodiscard]] Connection* try_acquire() noexcept {
        // seq_cst, partner: announce(). A stale zero is harmless here (see Fairness); the total order is for (2).
        if (waiting_.load(std::memory_order_seq_cst) != 0) return nullptr;
        for (;;) {
            PoolSlot* slot = pop(idle_);
            if (!slot) return nullptr;
            if (current(*slot)) return hand_out(*slot);
            slot->close();
            put_empty(*slot);
        }
    }

    // A slot without connection, or nullptr when all are taken, others wait already, the pool is closed or memory is
    // out. It counts against max_size until discard(). Lock-free (the first use of each slot allocates it).
    [[nodiscard]] Connection* try_reserve() noexcept {
        if (waiting_.load(std::memory_order_seq_cst) != 0) return nullptr;
        PoolSlot* slot = take_empty();
        return slot ? hand_out(*slot) : nullptr;
    }

    // As try_reserve(), but for a connection that will be released to whoever waits, so waiters do not stand in its way.
    [[nodiscard]] Connection* reserve_for_connecting() noexcept {
        PoolSlot* slot = take_empty();
        return slot ? hand_out(*slot) : nullptr;
    }

    // Whether reserve_for_connecting() might find a slot now. seq_cst, partner: put_empty().
    [[nodiscard]] bool can_reserve() const noexcept { return !empty_.empty() || slots_.can_create(); }

    // Gives back a healthy connection: to the first waiter, else onto the idle stack. One that was reserved before the
    // last clear() is closed and its slot discarded.
    void release(Connection& connection) noexcept {
        PoolSlot& slot = static_cast<PoolSlot&>(connection);
        const std::uint32_t generation = slot.generation;
        if (!current(slot)) {
            slot.close();
            discard(connection);
            return;
        }
        if (give_to_first(slot, true)) return;
        slot.state.store(SlotState::idle, std::memory_order_relaxed);
        push(idle_, slot);  // (1); from here on the slot is not ours
        serve_if_waiting();
        // clear() may have come between the check above and the push. Same argument as for waiters: push, then read the
        // generation; clear() writes the generation, then takes the stack. seq_cst, partner: clear(), close().
        if (generation_.load(std::memory_order_seq_cst) != generation) drain_stale();
    }

    // Gives back a slot whose connection the caller has closed, or could not make. The first waiter gets it to connect,
    // unless waiters are granted connected slots only.
    void discard(Connection& connection) noexcept {
        PoolSlot& slot = static_cast<PoolSlot&>(connection);
        stamp(slot);
        if (grants_ == Grants::any && give_to_first(slot, false)) return;
        put_empty(slot);
    }

    // Queues the waiter, or fills `claim` at once if a slot is free and nobody stands before it. After `queued` the
    // waiter belongs to the pool until grant() is called or cancel()/expire()/close() takes it out; grant() may run on
    // another thread before this returns.
    [[nodiscard]] Waiting wait(Waiter& waiter, Claim& claim) noexcept {
        Waiter* granted = nullptr;
        bool filled = false;
        {
            std::lock_guard guard(mutex_);
            // Written only under the mutex.
            if (closed_.load(std::memory_order_relaxed)) return Waiting::closed;
            queue_.push_back(waiter);
            announce();          // (3)
            granted = match();   // (4)
            // As long as the mutex is held nobody else can grant, so the address still means this waiter.
            filled = detach(granted, waiter);
            if (filled) claim = waiter.claim_;
        }
        run(granted);
        if (!filled) return Waiting::queued;
        refresh(claim);
        return Waiting::granted;
    }

    // try_acquire, else try_reserve, else wait. For Grants::any.
    [[nodiscard]] Waiting acquire(Waiter& waiter, Claim& claim) noexcept {
        if (Connection* connection = try_acquire()) {
            claim = {connection, true};
            return Waiting::granted;
        }
        if (Connection* connection = try_reserve()) {
            claim = {connection, false};
            return Waiting::granted;
        }
        return wait(waiter, claim);
    }

    // True: the waiter was still queued and will never be granted. False: grant(), or the callback of expire(),
    // dismiss_waiters() or close(), has been called, is being called or is about to be (on another thread); the waiter must
    // stay alive until then and owns what it is granted.
    bool cancel(Waiter& waiter) noexcept {
        std::lock_guard guard(mutex_);
        if (!queue_.remove(waiter)) return false;
        announce();
        return true;
    }

    // Takes out every waiter whose deadline is not after `now` and calls expired(Waiter&) for each, without lock.
    template <class Expired>
    void expire(TimePoint now, Expired&& expired) noexcept {
        while (Waiter* waiter = take_waiter([&] { return queue_.pop_expired(now); })) expired(*waiter);
    }

    // The earliest deadline of a queued waiter, TimePoint::max() when there is none.
    [[nodiscard]] TimePoint next_deadline() noexcept {
        std::lock_guard guard(mutex_);
        return queue_.next_deadline();
    }

    // Takes out all waiters (because the server is gone, say) and calls dismissed(Waiter&) for each, without lock.
    template <class Dismissed>
    void dismiss_waiters(Dismissed&& dismissed) noexcept {
        Waiter* waiter;
        {
            std::lock_guard guard(mutex_);
            waiter = take_all_waiters();
        }
        call(waiter, dismissed);
    }

    // Takes every idle connection out, closes those for which keep(Connection&) is false and puts the others back in
    // their old order. Other callers see an empty idle stack meanwhile. Returns the number closed.
    template <class Keep>
    std::uint32_t drain_idle(Keep&& keep) noexcept {
        std::uint32_t closed = 0;
        std::uint32_t index = idle_.take_all();
        std::uint32_t kept = none;  // list of the kept ones, bottom first
        while (index != none) {
            PoolSlot& slot = slots_.at(index);
            index = slot.next.load(std::memory_order_relaxed);  // the chain is ours since take_all()
            if (current(slot) && keep(static_cast<Connection&>(slot))) {
                slot.next.store(kept, std::memory_order_relaxed);
                kept = slot.index;
                continue;
            }
            ++closed;
            slot.close();
            put_empty(slot);
        }
        while (kept != none) {
            PoolSlot& slot = slots_.at(kept);
            kept = slot.next.load(std::memory_order_relaxed);
            const std::uint32_t generation = slot.generation;
            push(idle_, slot);
            serve_if_waiting();
            // As in release(): clear() may have passed while the slot was off the stack.
            if (generation_.load(std::memory_order_seq_cst) != generation) drain_stale();
        }
        return closed;
    }

    // Starts a new generation: idle connections are closed now, those in use when they are released.
    void clear() noexcept {
        // seq_cst, partner: the last load in release().
        generation_.fetch_add(1, std::memory_order_seq_cst);
        drain_stale();
    }

    // For ever: as clear(), and nothing is handed out any more. dismissed(Waiter&) is called for every queued waiter.
    template <class Dismissed>
    void close(Dismissed&& dismissed) noexcept {
        Waiter* waiter;
        {
            std::lock_guard guard(mutex_);
            // seq_cst, partner: stamp(), which reads the generation first and this second. The queue is emptied in the same
            // breath: nobody is granted anything in a closed pool.
            closed_.store(true, std::memory_order_seq_cst);
            waiter = take_all_waiters();
        }
        clear();
        call(waiter, dismissed);
    }

    [[nodiscard]] bool closed() const noexcept { return closed_.load(std::memory_order_seq_cst); }
    [[nodiscard]] std::uint32_t max_size() const noexcept { return max_size_; }
    [[nodiscard]] std::uint32_t generation() const noexcept { return generation_.load(std::memory_order_seq_cst); }
    [[nodiscard]] std::uint32_t waiting() const noexcept { return waiting_.load(std::memory_order_seq_cst); }

    // 0 to max_size-1, the same for the life of the pool.
    [[nodiscard]] static std::uint32_t index_of(const Connection& connection) noexcept {
        return static_cast<const PoolSlot&>(connection).index;
    }

    // visit(Connection&, SlotState) for every slot ever used. The visitor owns nothing: it may only touch what the
    // connection allows to any thread. For statistics and for process exit.
    template <class Visit>
    void for_each_slot(Visit&& visit) const {
        slots_.for_each([&](PoolSlot& slot) {
            visit(static_cast<Connection&>(slot), slot.state.load(std::memory_order_relaxed));
        });
    }

    [[nodiscard]] Stats stats() const noexcept {
        Stats stats;
        stats.max_size = max_size_;
        stats.waiting = waiting();
        stats.generation = generation();
        for_each_slot([&](Connection& connection, SlotState state) {
            stats.idle += state == SlotState::idle;
            stats.claimed += state == SlotState::claimed;
            stats.claims += static_cast<PoolSlot&>(connection).claims.load(std::memory_order_relaxed);
        });
        return stats;
    }

private:
    using Stack = lockfree::TaggedStack<Platform>;
    static constexpr std::uint32_t none = Stack::none;

    PoolSlot* pop(Stack& stack) noexcept {
        const std::uint32_t index = stack.pop([this](std::uint32_t i) -> auto& { return slots_.at(i).next; });
        return index == none ? nullptr : &slots_.at(index);
    }

    void push(Stack& stack, PoolSlot& slot) noexcept {
        stack.push(slot.index, [this](std::uint32_t i) -> auto& { return slots_.at(i).next; });
    }

    bool current(const PoolSlot& slot) const noexcept {
        return slot.generation == generation_.load(std::memory_order_seq_cst);
    }

    static Connection* hand_out(PoolSlot& slot) noexcept {
        slot.state.store(SlotState::claimed, std::memory_order_relaxed);
        // Only the owner writes: load and store instead of a locked increment.
        slot.claims.store(slot.claims.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        return &slot;
    }

    void put_empty(PoolSlot& slot) noexcept {
        slot.state.store(SlotState::empty, std::memory_order_relaxed);
        push(empty_, slot);
        serve_if_waiting();
    }

    // Marks an unconnected slot as belonging to the current generation, unless the pool is closed (false). The closing flag
    // is read after the generation, and close() sets it before it starts the last generation: so no slot ever gets the
    // last generation, and whatever is connected in a slot stamped before is closed when it is released.
    bool stamp(PoolSlot& slot) noexcept {
        const std::uint32_t generation = generation_.load(std::memory_order_seq_cst);
        if (closed_.load(std::memory_order_seq_cst)) return false;
        slot.generation = generation;
        return true;
    }

    // An empty slot stamped with the generation that its connection will belong to.
    PoolSlot* take_empty() noexcept {
        PoolSlot* slot = pop(empty_);
        if (!slot) slot = slots_.create();
        if (!slot) return nullptr;
        if (!stamp(*slot)) {
            push(empty_, *slot);
            return nullptr;
        }
        return slot;
    }

    // Publishes the length of the queue; the mutex is held. seq_cst: (3), partner: serve_if_waiting().
    void announce() noexcept { waiting_.store(queue_.size(), std::memory_order_seq_cst); }

    template <class Take>
    Waiter* take_waiter(Take&& take) noexcept {
        std::lock_guard guard(mutex_);
        WaiterNode* node = take();
        if (node) announce();
        return static_cast<Waiter*>(node);
    }

    // The whole queue, in order, linked; the mutex is held.
    Waiter* take_all_waiters() noexcept {
        Waiter* first = nullptr;
        Waiter** last = &first;
        while (WaiterNode* node = queue_.pop_front()) {
            *last = static_cast<Waiter*>(node);
            last = &(*last)->next_taken_;
        }
        *last = nullptr;
        announce();
        return first;
    }

    template <class Callback>
    static void call(Waiter* waiter, Callback& callback) noexcept {
        while (waiter) {
            Waiter* next = waiter->next_taken_;  // read first: the waiter may die
            callback(*waiter);
            waiter = next;
        }
    }

    // Direct hand-over, so that a released slot cannot be snatched while somebody is queued.
    bool give_to_first(PoolSlot& slot, bool connected) noexcept {
        if (waiting_.load(std::memory_order_seq_cst) == 0) return false;
        Waiter* waiter = take_waiter([&] { return queue_.pop_front(); });
        if (!waiter) return false;
        waiter->grant(*hand_out(slot), connected);
        return true;
    }

    void serve_if_waiting() noexcept {
        if constexpr (CheckAgain) {
            // seq_cst: (2), partner: announce().
            if (waiting_.load(std::memory_order_seq_cst) == 0) return;
            Waiter* granted;
            {
                std::lock_guard guard(mutex_);
                granted = match();
            }
            run(granted);
        }
    }

    // Pairs free slots with waiters, both from the front, as long as there are both; the mutex is held. Returns the
    // granted waiters in order, linked; run() calls them once the mutex is free.
    Waiter* match() noexcept {
        Waiter* first = nullptr;
        Waiter** last = &first;
        while (queue_.size() != 0) {
            PoolSlot* slot = pop(idle_);
            const bool connected = slot != nullptr;
            if (!slot && grants_ == Grants::any) slot = take_empty();
            if (!slot) break;
            Waiter* waiter = static_cast<Waiter*>(queue_.pop_front());
            announce();
            waiter->claim_ = {hand_out(*slot), connected};
            waiter->next_taken_ = nullptr;
            *last = waiter;
            last = &waiter->next_taken_;
        }
        return first;
    }

    // Takes `waiter` out of the chain of granted ones.
    static bool detach(Waiter*& first, Waiter& waiter) noexcept {
        for (Waiter** link = &first; *link; link = &(*link)->next_taken_) {
            if (*link == &waiter) {
                *link = waiter.next_taken_;
                return true;
            }
        }
        return false;
    }

    void run(Waiter* waiter) noexcept {
        while (waiter) {
            Waiter* next = waiter->next_taken_;  // read first: grant() may destroy the waiter
            Claim claim = waiter->claim_;
            refresh(claim);
            waiter->grant(*claim.connection, claim.connected);
            waiter = next;
        }
    }

    // An idle connection of an older generation becomes an empty slot of the current one. (The one case in which a waiter
    // for connected slots gets an empty one; it discards it and waits again.)
    void refresh(Claim& claim) noexcept {
        PoolSlot& slot = static_cast<PoolSlot&>(*claim.connection);
        if (!claim.connected || current(slot)) return;
        slot.close();
        stamp(slot);
        claim.connected = false;
    }

    void drain_stale() noexcept {
        drain_idle([](Connection&) { return true; });
    }

    const Grants grants_;
    const std::uint32_t max_size_;
    Slots<PoolSlot> slots_;

    // Each on its own line: idle_ and waiting_ are touched by every operation of every thread.
    alignas(lockfree::cacheline) Stack idle_;
    alignas(lockfree::cacheline) Stack empty_;
    // Read by every operation, written only when somebody queues, clears or closes.
    alignas(lockfree::cacheline) Atomic<std::uint32_t> waiting_{0};
    Atomic<std::uint32_t> generation_{0};
    Atomic<bool> closed_{false};
    alignas(lockfree::cacheline) typename Platform::Mutex mutex_;
    WaiterQueue queue_;  // guarded by mutex_
};

}  // namespace barewire::pool
