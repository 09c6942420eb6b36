// Waiting for a connection on an event loop. Nothing else may live here.
#include <utility>

#include "net/pg/pool.h"

namespace barewire::net::pg {

namespace {

constexpr auto far_away = std::chrono::hours(24 * 365);

}  // namespace

void Acquiring::start(std::shared_ptr<ConnectionPool> pool, Reactor& reactor, Clock::duration timeout) noexcept {
    pool_ = std::move(pool);
    reactor_ = reactor.shared_from_this();
    thread_ = std::this_thread::get_id();
    until_ = timeout > Clock::duration::zero() ? Clock::now() + timeout : Clock::time_point::max();
    pool_->exhume();
    look();
}

void Acquiring::look() noexcept {
    for (;;) {
        state_ = State::idle;
        claim_ = {};
        why_ = {};
        if (PooledConnection* connection = pool_->try_acquire()) {
            acquired(*connection);
            return;
        }
        const Clock::time_point until = until_ == Clock::time_point::max() ? Clock::now() + far_away : until_;
        if (!reactor_->arm(timer_, until)) {
            refuse(reactor_->closed() ? Failure::Kind::closed : Failure::Kind::out_of_memory, "event loop is closed");
            return;
        }
        state_ = State::queued;
        Slots::Claim claim;
        switch (pool_->slots_.wait(*this, claim)) {
            case pool::Waiting::queued: {
                // From here on it may be over on another thread at any time, but that thread only posts.
                const std::shared_ptr<ConnectionPool> pool = pool_;
                pool->replenish();
                return;
            }
            case pool::Waiting::closed:
                reactor_->disarm(timer_);
                refuse(Failure::Kind::closed, "the pool is closed");
                return;
            case pool::Waiting::granted: break;
        }
        reactor_->disarm(timer_);
        state_ = State::idle;
        if (!claim.connected) {
            pool_->discard(*claim.connection);
        } else if (pool_->usable(*claim.connection)) {
            acquired(*claim.connection);
            return;
        }
    }
}

void Acquiring::refuse(Failure::Kind kind, const char* message) noexcept {
    state_ = State::idle;
    Failure why;
    why.kind = kind;
    why.message = message;
    not_acquired(why);
}

void Acquiring::cancel() noexcept {
    if (state_ != State::queued) return;
    if (!pool_->slots_.cancel(*this)) {
        state_ = State::cancelled;
        return;
    }
    reactor_->disarm(timer_);
    refuse(Failure::Kind::cancelled, "cancelled");
}

// --- any thread --------------------------------------------------------------------------------------------------------

void Acquiring::grant(PooledConnection& connection, bool connected) noexcept {
    claim_ = {&connection, connected};
    arrive();
}

void Acquiring::dismissed(const Failure& why) noexcept {
    why_ = why;
    arrive();
}

void Acquiring::arrive() noexcept {
    if (std::this_thread::get_id() == thread_) {
        deliver();
        return;
    }
    const std::shared_ptr<Reactor> reactor = reactor_;
    const std::shared_ptr<ConnectionPool> pool = pool_;
    if (reactor->post(arrival_)) return;
    // The reactor has gone, and here nothing of the layer above may be called or destroyed: the pool does it later.
    if (const Slots::Claim claim = std::exchange(claim_, {})) {
        if (claim.connected) pool->slots_.release(*claim.connection);
        else pool->slots_.discard(*claim.connection);
    }
    std::lock_guard guard(pool->mutex_);
    next_orphan_ = std::exchange(pool->orphans_, this);
}

// --- the reactor's thread ----------------------------------------------------------------------------------------------

void Acquiring::deliver() noexcept {
    reactor_->disarm(timer_);
    const Slots::Claim claim = std::exchange(claim_, {});
    if (state_ == State::cancelled) {
        if (claim) pool_->give_back(claim);
        refuse(Failure::Kind::cancelled, "cancelled");
        return;
    }
    state_ = State::idle;
    if (!claim) {
        const Failure why = std::exchange(why_, {});
        not_acquired(why);
        return;
    }
    if (!claim.connected) {
        pool_->discard(*claim.connection);
    } else if (pool_->usable(*claim.connection)) {
        acquired(*claim.connection);
        return;
    }
    look();
}

void Acquiring::out_of_time() noexcept {
    if (!pool_->slots_.cancel(*this)) {
        // Something is on its way here.
        reactor_->arm(timer_, Clock::now() + far_away);
        return;
    }
    pool_->timed_out_.fetch_add(1, std::memory_order_relaxed);
    const Failure last = pool_->last_failure();
    state_ = State::idle;
    Failure why = last;
    why.kind = Failure::Kind::wait_queue_timeout;
    not_acquired(why);
}

// Posted, but the reactor was closed before it ran.
void Acquiring::left_behind() noexcept {
    const std::shared_ptr<ConnectionPool> pool = pool_;
    if (claim_) pool->give_back(std::exchange(claim_, {}));
    dropped();
}

void Acquiring::reactor_closed() noexcept {
    // Otherwise the arrival goes on: it is posted already, or will find the reactor closed.
    if (pool_->slots_.cancel(*this)) dropped();
}

}  // namespace barewire::net::pg
