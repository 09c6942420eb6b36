// Handing out, taking back and keeping in order. Making connections lives in pool_connecting, resetting in pool_reset,
// waiting on an event loop in pool_acquiring.
#include "net/pg/pool.h"

#include <algorithm>
#include <new>
#include <utility>

namespace barewire::net::pg {

namespace {

// A slot costs eight bytes until it is used; so many allow a pool to be resized.
std::uint32_t capacity_for(std::uint32_t size) noexcept {
    return std::clamp<std::uint32_t>(size, 1024, Slots::largest_size);
}

class Unstoppable final : public Interrupt {
public:
    bool interrupted() noexcept override { return false; }
};

class Blocked final : public PoolWaiter {
public:
    void grant(PooledConnection& connection, bool connected) noexcept override {
        claim = {&connection, connected};
        signal.notify();
    }
    void dismissed(const Failure& why) noexcept override {
        failure = why;
        signal.notify();
    }
    Signal signal;
    Slots::Claim claim;
    Failure failure;
};

}  // namespace

// On any thread: plans are left for a thread that may destroy them.
void PooledConnection::close() noexcept {
    if (pool) {
        pool->bury(statements());
        if (std::exchange(open_, false)) pool->give_place();
    }
    doomed = false;
    uses = 0;
    Connection::close();
}

ConnectionPool::ConnectionPool(std::shared_ptr<Engine> engine, PoolSettings settings)
    : engine_(std::move(engine)), settings_(std::move(settings)),
      options_(std::make_shared<const ConnectOptions>(settings_.connect)),
      slots_(capacity_for(settings_.max_size), pool::Grants::connected), min_size_(settings_.min_size),
      max_size_(std::clamp<std::uint32_t>(settings_.max_size, 1, slots_.max_size())) {}

ConnectionPool::~ConnectionPool() { close(); }

// --- handing out -------------------------------------------------------------------------------------------------------

PooledConnection* ConnectionPool::try_acquire() noexcept {
    while (PooledConnection* connection = slots_.try_acquire()) {
        if (usable(*connection)) return connection;
    }
    return nullptr;
}

// Whether its new owner can use it; else it is gone.
bool ConnectionPool::usable(PooledConnection& connection) noexcept {
    const Clock::time_point now = Clock::now();
    const bool expired = now >= connection.expires_;
    // A loop that still watches it marks it when the server hangs up.
    const bool look = connection.take_suspicion() || now - connection.last_use > settings_.check_after;
    if (!expired && (!look || connection.fit())) {
        ++connection.uses;
        acquired_.fetch_add(1, std::memory_order_relaxed);
        return true;
    }
    (expired ? closed_ : lost_).fetch_add(1, std::memory_order_relaxed);
    discard(connection);
    return false;
}

PooledConnection* ConnectionPool::acquire(Clock::duration timeout, SignalWait& wait, Failure& failure) noexcept {
    const Clock::time_point until =
        timeout > Clock::duration::zero() ? Clock::now() + timeout : Clock::time_point::max();
    exhume();
    for (;;) {
        if (PooledConnection* connection = try_acquire()) return connection;
        Blocked blocked;
        switch (slots_.wait(blocked, blocked.claim)) {
            case pool::Waiting::granted: break;
            case pool::Waiting::closed:
                failure.kind = Failure::Kind::closed;
                failure.message = "the pool is closed";
                return nullptr;
            case pool::Waiting::queued: {
                replenish();
                const Waited waited = wait.wait(blocked.signal, until);
                if (waited != Waited::ready && !slots_.cancel(blocked)) {
                    // A grant or a dismissal is under way on another thread and must be taken.
                    Unstoppable never;
                    blocked.signal.wait(Clock::time_point::max(), never);
                }
                if (waited == Waited::interrupted) {
                    if (blocked.claim) give_back(blocked.claim);
                    failure.kind = Failure::Kind::interrupted;
                    failure.message = "interrupted";
                    return nullptr;
                }
                if (blocked.failure) {
                    failure = std::move(blocked.failure);
                    return nullptr;
                }
                if (!blocked.claim) {
                    timed_out_.fetch_add(1, std::memory_order_relaxed);
                    failure = last_failure();
                    failure.kind = Failure::Kind::wait_queue_timeout;
                    return nullptr;
                }
                break;
            }
        }
        if (!blocked.claim.connected) discard(*blocked.claim.connection);
        else if (usable(*blocked.claim.connection)) return blocked.claim.connection;
    }
}

void ConnectionPool::give_back(const Slots::Claim& claim) noexcept {
    if (claim.connected) put_back(*claim.connection);
    else discard(*claim.connection);
}

// --- taking back -------------------------------------------------------------------------------------------------------

bool ConnectionPool::keeps(const PooledConnection& connection) const noexcept {
    return connection.connected() && !connection.doomed && !slots_.closed() && Clock::now() < connection.expires_ &&
           open_.load(std::memory_order_relaxed) <= max_size_.load(std::memory_order_relaxed);
}

void ConnectionPool::put_back(PooledConnection& connection) noexcept {
    if (!keeps(connection)) {
        (connection.connected() ? closed_ : lost_).fetch_add(1, std::memory_order_relaxed);
        discard(connection);
        return;
    }
    connection.observer = nullptr;
    connection.owner = nullptr;
    connection.part();
    connection.last_use = Clock::now();
    slots_.release(connection);
    // One of an older generation was closed instead of given on.
    if (slots_.waiting() != 0) replenish();
    exhume();
}

void ConnectionPool::discard(PooledConnection& connection) noexcept {
    connection.observer = nullptr;
    connection.owner = nullptr;
    connection.close();
    slots_.discard(connection);
    replenish();
    exhume();
}

// --- keeping in order --------------------------------------------------------------------------------------------------

void ConnectionPool::maintain() noexcept {
    exhume();
    if (slots_.closed()) return;
    const Clock::time_point now = Clock::now();
    slots_.drain_idle([&](PooledConnection& connection) {
        const std::uint32_t open = open_.load(std::memory_order_relaxed);
        const bool idle = settings_.max_idle > Clock::duration::zero() && now - connection.last_use > settings_.max_idle &&
                          open > min_size_.load(std::memory_order_relaxed);
        const bool surplus = open > max_size_.load(std::memory_order_relaxed);
        if (idle || surplus || now >= connection.expires_) {
            closed_.fetch_add(1, std::memory_order_relaxed);
            return false;
        }
        if (connection.fit()) return true;
        lost_.fetch_add(1, std::memory_order_relaxed);
        return false;
    });
    exhume();
    if (open_.load(std::memory_order_relaxed) < min_size_.load(std::memory_order_relaxed)) grow();
    replenish();
}

void ConnectionPool::resize(std::uint32_t min_size, std::uint32_t max_size) noexcept {
    max_size = std::clamp<std::uint32_t>(max_size, 1, slots_.max_size());
    min_size_.store(std::min(min_size, max_size), std::memory_order_relaxed);
    max_size_.store(max_size, std::memory_order_relaxed);
    maintain();
}

void ConnectionPool::drain() noexcept {
    slots_.clear();
    replenish();
    exhume();
}

void ConnectionPool::close() noexcept {
    Failure why;
    why.kind = Failure::Kind::closed;
    why.message = "the pool is closed";
    slots_.close([&](Slots::Waiter& waiter) { static_cast<PoolWaiter&>(waiter).dismissed(why); });
    exhume();
}

void ConnectionPool::dismiss(const Failure& why) noexcept {
    slots_.dismiss_waiters([&](Slots::Waiter& waiter) { static_cast<PoolWaiter&>(waiter).dismissed(why); });
}

void ConnectionPool::abandon_after_fork() noexcept {
    // Connections in use may be half changed by threads that do not exist here; they stay as they are.
    slots_.for_each_slot([](PooledConnection& connection, pool::SlotState state) {
        if (state == pool::SlotState::idle) connection.abandon_after_fork();
    });
}

void ConnectionPool::bury(StatementCache& statements) noexcept {
    std::lock_guard guard(mutex_);
    statements.take_plans(graveyard_);
}

void ConnectionPool::exhume() noexcept {
    std::vector<std::unique_ptr<Plan>> plans;
    Acquiring* orphan;
    {
        std::lock_guard guard(mutex_);
        plans.swap(graveyard_);
        orphan = std::exchange(orphans_, nullptr);
    }
    while (orphan) {
        Acquiring* next = orphan->next_orphan_;
        orphan->dropped();
        orphan = next;
    }
}

Failure ConnectionPool::last_failure() const {
    std::lock_guard guard(mutex_);
    return last_failure_;
}

PoolStats ConnectionPool::stats() const noexcept {
    const pool::Stats slots = slots_.stats();
    PoolStats stats;
    stats.size = open_.load(std::memory_order_relaxed);
    stats.connecting = std::min(pending_.count(), stats.size);
    stats.idle = slots.idle;
    stats.in_use = slots.claimed > stats.connecting ? slots.claimed - stats.connecting : 0;
    stats.waiting = slots.waiting;
    stats.min_size = min_size_.load(std::memory_order_relaxed);
    stats.max_size = max_size_.load(std::memory_order_relaxed);
    stats.acquired = acquired_.load(std::memory_order_relaxed);
    stats.made = made_.load(std::memory_order_relaxed);
    stats.failed = failed_.load(std::memory_order_relaxed);
    stats.lost = lost_.load(std::memory_order_relaxed);
    stats.closed = closed_.load(std::memory_order_relaxed);
    stats.timed_out = timed_out_.load(std::memory_order_relaxed);
    return stats;
}

}  // namespace barewire::net::pg
