// How operations end: by their last answer, by their caller, with their connection; and how a running one is cancelled.
#include <string>
#include <utility>

#include "net/pg/connection.h"
#include "net/pg/libpq.h"

namespace barewire::net::pg {

namespace {

// How long an operation that nobody wants any more may still run on a connection that others share, before the server is
// asked to cancel it: a request costs the server a process.
constexpr auto patience = std::chrono::milliseconds(20);
// How long the server has for stopping what was cancelled, before the connection counts as lost.
constexpr auto answer_time = std::chrono::seconds(10);
// How long a request may be on its way and hit a later operation on the same connection.
constexpr auto stray_time = std::chrono::seconds(1);

}  // namespace

// --- operations --------------------------------------------------------------------------------------------------------

// The last answer has come.
void Connection::conclude(Execution& execution) noexcept {
    if (!execution.held_.empty()) {
        if (repeat(execution, execution.held_.front().item)) return;
        give_held(execution);
    }
    if (execution.failed_ && execution.repeatable_ && !execution.kept_ && repeat(execution, 0)) return;
    if ((execution.failed_ || execution.failure) && roll_back(execution)) return;
    if (execution.refused_) fail(execution, Failure::Kind::refused, "");
    finish(execution);
}

// The transaction that it has begun must not stay open. True: a ROLLBACK is under way, or the connection is lost.
bool Connection::roll_back(Execution& execution) noexcept {
    // A cancel request that comes late may hit one, but not two.
    if (!execution.begun_ || !maybe_open_ || execution.rollbacks_ == 2) return false;
    ++execution.rollbacks_;
    if (send_plain(execution, "ROLLBACK", Sent::rollback)) send_sync(&execution, 0, true);
    return true;
}

// Sends it once more, from an item on; nothing of it is under way. False: it may not, or does not want to.
bool Connection::repeat(Execution& execution, std::size_t from) noexcept {
    if (!execution.may_repeat() || (execution.discarding_ && !execution.refused_)) return false;
    // Unless nothing was sent: a BEGIN that waits for the next operation is not meant for this one.
    const bool untouched = execution.refused_ && execution.items_ == 0;
    if (!untouched && (maybe_open_ || !begin_.empty())) return false;
    if (!execution.rewind(from)) return false;
    // What has made one of its statements stale may have done so to others: they are described again in the same flush.
    for (std::size_t i = 0; (execution.use_count > 1 || execution.refused_) && i < execution.use_count; ++i) {
        const StatementUse& use = execution.uses[i];
        if (use.statement && !use.once) statements_.invalidate(*use.statement);
    }
    release_statements(execution);
    execution.error.reset();
    const bool repeated = execution.repeated_ || !execution.hit_;
    const auto hits = static_cast<std::uint8_t>(execution.hits_ + execution.hit_);
    execution.start_anew();
    execution.items_ = from;
    execution.repeated_ = repeated;
    execution.hits_ = hits;
    execution.discarding_ = false;
    if (barrier_ == &execution) barrier_ = nullptr;
    if (execution.queued_) return true;
    execution.queued_ = true;
    waiting_.push_front(execution);
    return true;
}

void Connection::fail(Operation& operation, Failure::Kind kind, const char* message) noexcept {
    if (operation.failure) return;
    operation.failure.kind = kind;
    try {
        operation.failure.message = message;
    } catch (const std::bad_alloc&) {
        // The kind says enough.
    }
}

void Connection::finish(Operation& operation) noexcept {
    if (operation.error && !operation.failure) {
        const std::string_view message = operation.error.view().error_field(ErrorField::message_primary);
        fail(operation, Failure::Kind::server, std::string(message).c_str());
    }
    operation.finished = true;
    if (operation.timer_.armed() && reactor_) reactor_->disarm(operation.timer_);
    if (paused_ == &operation) paused_ = nullptr;
    if (barrier_ == &operation && operation.expected_ == 0) barrier_ = nullptr;
    if (!operation.blocking_) operation.completed();
    retire(operation);
}

// Gives a finished operation back when nothing of it is under way any more.
void Connection::retire(Operation& operation) noexcept {
    if (!operation.finished || !operation.held_ || operation.queued_ || operation.expected_ != 0 || exclusive_ == &operation)
        return;
    operation.held_ = false;
    operation.holder_ = nullptr;
    if (barrier_ == &operation) barrier_ = nullptr;
    if (operation.cancel_sent_) {
        answer_until_ = Clock::time_point::max();
        if (watchdog_.armed() && reactor_) reactor_->disarm(watchdog_);
    }
    if (operation.kind == Operation::Kind::execution) release_statements(static_cast<Execution&>(operation));
    operation.release();
}

void Connection::release_statements(Execution& execution) noexcept {
    if (!execution.pinned_) return;
    execution.pinned_ = false;
    for (std::size_t i = 0; i < execution.use_count; ++i) {
        StatementUse& use = execution.uses[i];
        if (use.statement && !use.once) {
            if (!use.doubted.empty() && !use.fresh) statements_.invalidate(*use.statement);
            statements_.release(*use.statement);
        }
        use.statement = nullptr;
    }
}

void Connection::give_up(Operation& operation, Failure&& why) noexcept {
    if (operation.finished || !operation.held_) return;
    if (!operation.failure) operation.failure = std::move(why);
    operation.discarding_ = true;
    const bool streaming = operation.queued_ && operation.kind == Operation::Kind::execution &&
                           static_cast<Execution&>(operation).items_ != 0;
    if (streaming) {
        end_items(static_cast<Execution&>(operation), false);
    } else if (operation.queued_) {
        waiting_.remove(operation);
        operation.queued_ = false;
    }
    if (!connected() || operation.finished) return;   // everything has ended
    if (exclusive_ == &operation && stage_ == Stage::copy_in) end_copy("stopped by the client");
    const bool running = exclusive_ == &operation || (!expected_.empty() && expected_.front().operation == &operation);
    finish(operation);   // it stays ours while answers are due
    if (running) cancel_soon();
    if (!reactor_) return;
    // What was paused or had to wait for it goes on.
    receive();
    receive_exclusive();
    pump();
    flush_later();
    settle();
}

// --- cancelling --------------------------------------------------------------------------------------------------------

// The operation that the server works on is not wanted any more.
void Connection::cancel_soon() noexcept {
    Operation* running = exclusive_ ? exclusive_ : expected_.empty() ? nullptr : expected_.front().operation;
    if (!running || running->cancel_sent_) return;
    const bool alone = exclusive_ || expected_.back().operation == running;
    if (alone || !reactor_) {
        cancel_running();
    } else if (!watchdog_.armed() || paused_) {
        reactor_->arm(watchdog_, Clock::now() + patience);
    }
}

void Connection::cancel_running() noexcept {
    Operation* running = exclusive_ ? exclusive_ : expected_.empty() ? nullptr : expected_.front().operation;
    if (!running || running->cancel_sent_ || cancelling()) return;
    running->cancel_sent_ = true;
    if (!exclusive_ && expected_.back().operation != running) stray_until_ = Clock::now() + stray_time;
    cancellation_ = Cancellation::start(engine_, connection_, *this, reactor_.get());
    if (reactor_) reactor_->arm(watchdog_, Clock::now() + answer_time);
    else answer_until_ = Clock::now() + answer_time;
}

void Connection::cancel() noexcept {
    if (!connected() || cancelling()) return;
    cancellation_ = Cancellation::start(engine_, connection_, *this, reactor_.get());
}

// Whether a request is under way: until it has arrived nothing new is sent, because it would be hit.
bool Connection::cancelling() noexcept {
    if (!cancellation_) return false;
    if (!cancellation_->done()) return true;
    cancellation_->forget_user();
    cancellation_.reset();
    return false;
}

void Connection::cancellation_done() noexcept {
    cancellation_.reset();
    if (!connected()) return;
    pump();
    flush_later();
    settle();
}

void Connection::answer_overdue() noexcept {
    if (!connected()) return;
    answer_until_ = Clock::time_point::max();
    Operation* running = exclusive_ ? exclusive_ : expected_.empty() ? nullptr : expected_.front().operation;
    if (!running || !running->discarding_) return;
    if (!running->cancel_sent_) {
        cancel_running();
        return;
    }
    Failure why;
    why.kind = Failure::Kind::network_timeout;
    why.message = "the server does not react to a cancel request";
    lost(std::move(why));
}

// --- connections -------------------------------------------------------------------------------------------------------

void Connection::lost() noexcept {
    Failure why;
    why.kind = Failure::Kind::network;
    try {
        why.message = libpq_->PQerrorMessage_(connection_);
        while (!why.message.empty() && why.message.back() == '\n') why.message.pop_back();
    } catch (const std::bad_alloc&) {
        // The kind says enough.
    }
    lost(std::move(why));
}

void Connection::lost(Failure&& why) noexcept {
    if (broken_) return;
    broken_ = std::move(why);
    if (reactor_ && wanted_ != Want::done) reactor_->end(*this);
    wanted_ = Want::done;
    watching_ = false;
    Reactor::detach(*this);
    if (watchdog_.armed() && reactor_) reactor_->disarm(watchdog_);
    answer_until_ = Clock::time_point::max();
    end_all(broken_, true);
    if (observer) observer->lost(broken_);
    if (!told_ && reactor_) reactor_->at_turn_end(*this);
}

void Connection::end_all(const Failure& why, bool tell) noexcept {
    paused_ = barrier_ = nullptr;
    tagged_part_.reset();
    forgetting_.clear();
    const auto end = [&](Operation& operation) {
        fail(operation, operation.error ? Failure::Kind::server : why.kind, why.message.c_str());
        if (!tell) operation.blocking_ = true;   // nobody is there to be told
        if (operation.finished) retire(operation);
        else finish(operation);
    };
    Operation* exclusive = std::exchange(exclusive_, nullptr);
    stage_ = Stage::none;
    while (!expected_.empty()) {
        Operation* operation = expected_.front().operation;
        expected_.pop_front();
        if (!operation) continue;
        --operation->expected_;
        if (operation->expected_ == 0 && !operation->queued_) end(*operation);
    }
    while (Operation* operation = waiting_.first()) {
        waiting_.remove(*operation);
        operation->queued_ = false;
        end(*operation);
    }
    if (exclusive) end(*exclusive);
}

}  // namespace barewire::net::pg
