// Life and driving of a connection: adopting, the two drivers, what the descriptor is watched for. What is sent and
// received lives in sending, receiving and exclusive, how things end in ending.
#include "net/pg/connection.h"

#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <new>
#include <utility>

#include "net/pg/libpq.h"

namespace barewire::net::pg {

namespace {

// How often input is taken in one go before others get their turn.
constexpr int most_reads = 64;
// How long a blocking caller waits for the server to confirm a cancellation before it leaves that to the next use.
constexpr auto drain_time = std::chrono::seconds(1);
constexpr auto far_away = std::chrono::hours(24 * 365);

}  // namespace

Connection::Connection() noexcept = default;

Connection::~Connection() { close(); }

bool Connection::adopt(std::shared_ptr<Engine> engine, pg_conn* connection, bool owned) noexcept {
    close();
    engine_ = std::move(engine);
    libpq_ = &engine_->libpq();
    connection_ = connection;
    descriptor_ = libpq_->PQsocket_(connection);
    owned_ = owned;
    broken_ = {};
    told_ = true;
    maybe_open_ = failed_transaction_ = false;
    pipelined_ = libpq_->PQpipelineStatus_(connection) != PQ_PIPELINE_OFF;
    if (owned) libpq_->PQsetNoticeReceiver_(connection, &Connection::notice_received, this);
    created = last_use = Clock::now();
    return expected_.reserve(16);
}

void Connection::close() noexcept {
    if (!connection_) return;
    Failure why;
    why.kind = Failure::Kind::closed;
    why.message = "the connection is closed";
    observer = nullptr;
    if (!broken_) lost(std::move(why));
    if (cancellation_) cancellation_->forget_user();
    cancellation_.reset();
    Reactor::detach(*this);
    Reactor::forget_turn_end(*this);
    if (owned_) libpq_->PQfinish_(connection_);
    connection_ = nullptr;
    descriptor_ = -1;
    pipelined_ = watching_ = unflushed_ = blocked_ = more_to_send_ = false;
    begin_.clear();
    statements_.clear();
    take_suspicion();
}

void Connection::abandon_after_fork() noexcept {
    if (!connection_) return;
    // The child's copy of the socket: as long as it is open, the server does not see the parent close its own. Nothing is
    // said, and libpq's object stays behind: it belongs to the parent.
    if (owned_ && descriptor_ >= 0) ::close(descriptor_);
    connection_ = nullptr;
    descriptor_ = -1;
}

// --- the event loop ----------------------------------------------------------------------------------------------------

void Connection::enqueue(Operation& operation) noexcept {
    operation.retain();
    operation.held_ = true;
    operation.holder_ = this;
    operation.finished = false;
    operation.queued_ = true;
    operation.sent = operation.discarding_ = operation.cancel_sent_ = operation.awaiting_ = false;
    if (operation.kind == Operation::Kind::execution) static_cast<Execution&>(operation).start_anew();
    told_ = false;
    waiting_.push_back(operation);
}

void Connection::submit(Operation& operation, Reactor& reactor) noexcept {
    operation.blocking_ = false;
    if (!connected()) {
        operation.retain();
        operation.held_ = true;
        fail(operation, broken_ ? broken_.kind : Failure::Kind::closed,
             broken_ ? broken_.message.c_str() : "the connection is closed");
        finish(operation);
        return;
    }
    drive_by(reactor);
    const bool was_busy = busy();
    if (!was_busy) progress = Clock::now();
    enqueue(operation);
    // Armed already when it comes from a pool that it had to wait in.
    if (operation.timeout > Clock::duration::zero() && !operation.timer_.armed()) {
        if (!reactor.arm(operation.timer_, Clock::now() + operation.timeout)) {
            waiting_.remove(operation);
            operation.queued_ = false;
            fail(operation, reactor.closed() ? Failure::Kind::closed : Failure::Kind::out_of_memory, "event loop is closed");
            finish(operation);
            settle();
            return;
        }
    }
    pump();
    // A lone operation outside of a turn goes out at once; all else is flushed when the turn ends.
    if (unflushed_) {
        if (was_busy || reactor.turn_open()) flush_later();
        else flush();
    }
    settle();
}

void OperationTimer::expired() noexcept {
    Failure why;
    why.kind = Failure::Kind::network_timeout;
    why.message = "canceling statement due to timeout";
    operation_.give_up(std::move(why));
}

void Connection::resume(Operation& operation) noexcept {
    if (!connected()) return;
    operation.awaiting_ = false;
    if (paused_ == &operation) paused_ = nullptr;
    if (!reactor_) return;
    receive();
    receive_exclusive();
    if (exclusive_ && stage_ == Stage::copy_in) feed_copy();
    look_behind_copy();
    pump();
    flush_later();
    settle();
}

void Connection::ready() noexcept {
    more_to_send_ = false;
    const std::size_t before = expected_.size();
    const bool alive = read_input();
    // Not when it was called in vain: a statement that takes long has to show.
    if (expected_.size() != before) progress = Clock::now();
    if (!alive) return;
    if (blocked_) flush();
    if (exclusive_ && stage_ == Stage::copy_in) feed_copy();
    look_behind_copy();
    pump();
    flush_later();
    settle();
}

void Connection::flush_later() noexcept {
    if (!reactor_) return;
    if (unflushed_ || !busy()) reactor_->at_turn_end(*this);
}

void Connection::turn_ended() noexcept {
    if (connected() && unflushed_) flush();
    settle();
    if (busy() || told_) return;
    if (watchdog_.armed() && reactor_) reactor_->disarm(watchdog_);
    told_ = true;
    if (owner) owner->drained();
}

void Connection::settle() noexcept {
    if (!connected()) return;
    const bool owed = !expected_.empty() || exclusive_;
    Want want = Want::done;
    if ((owed && !paused_) || watching_) want = Want::read;
    if (blocked_ || more_to_send_) want = want == Want::read ? Want::both : Want::write;
    if (!owed && waiting_.empty()) {
        if (!owned_ && pipelined_ && libpq_->PQexitPipelineMode_(connection_)) pipelined_ = false;
        if (!told_ && reactor_) reactor_->at_turn_end(*this);
    }
    if (!reactor_) return;
    if (paused_ && !watchdog_.armed()) reactor_->arm(watchdog_, Clock::now() + far_away);
    if (want == wanted_) return;
    int error = 0;
    if (want == Want::done) reactor_->end(*this);
    else if (wanted_ == Want::done) error = reactor_->begin(*this, want);
    else error = reactor_->want(*this, want);
    if (error == 0) {
        wanted_ = want;
        return;
    }
    Failure why;
    why.kind = Failure::Kind::network;
    why.code = error;
    why.message = "cannot watch the connection";
    lost(std::move(why));
}

void Connection::abandoned() noexcept {
    // The loop has gone in the middle of something; nobody will take what the server still sends.
    wanted_ = Want::done;
    watching_ = false;
    if (!connected()) return;
    Failure why;
    why.kind = Failure::Kind::closed;
    why.message = "event loop is closed";
    if (!busy()) {
        reactor_.reset();
        return;
    }
    end_all(why, false);
    broken_ = std::move(why);
    reactor_.reset();
    told_ = true;
    if (owner) owner->drained();
}

bool Connection::watch(Reactor& reactor) noexcept {
    if (!connected() || reactor.closed()) return false;
    drive_by(reactor);
    watching_ = true;
    settle();
    return connected();
}

void Connection::unwatch() noexcept {
    watching_ = false;
    settle();
}

// --- the calling thread ------------------------------------------------------------------------------------------------

void Connection::run(Operation& operation, SocketWait& wait) noexcept {
    operation.blocking_ = true;
    if (!connected()) {
        operation.retain();
        operation.held_ = true;
        fail(operation, broken_ ? broken_.kind : Failure::Kind::closed,
             broken_ ? broken_.message.c_str() : "the connection is closed");
        finish(operation);
        return;
    }
    if (reactor_) {
        if (wanted_ != Want::done) reactor_->end(*this);
        if (watchdog_.armed()) reactor_->disarm(watchdog_);
        Reactor::forget_turn_end(*this);
    }
    wanted_ = Want::done;
    Reactor::detach(*this);
    reactor_.reset();
    operation.retain();   // ours, until the end of this function
    operation.awaiting_ = false;
    if (!operation.held_) {
        enqueue(operation);
        operation.deadline_ = operation.timeout > Clock::duration::zero() ? Clock::now() + operation.timeout
                                                                           : Clock::time_point::max();
    } else if (paused_ == &operation) {
        paused_ = nullptr;
        receive();
        receive_exclusive();
    }
    while (!operation.finished && connected() && paused_ != &operation) {
        more_to_send_ = false;
        if (blocked_ && !flush()) break;
        if (exclusive_ && stage_ == Stage::copy_in) feed_copy();
        pump();
        if (unflushed_ && connected()) flush();
        look_behind_copy();
        if (operation.finished || !connected() || paused_ == &operation) break;
        if (operation.awaiting_) break;
        const bool held_back = cancelling();   // a request under way could hit what is sent now
        Clock::time_point deadline = std::min(operation.deadline_, answer_until_);
        if (held_back) deadline = std::min(deadline, Clock::now() + std::chrono::milliseconds(1));
        const bool owed = !expected_.empty() || exclusive_;
        const Want want = blocked_ || more_to_send_ ? Want::both : Want::read;
        switch (wait.wait(owed || blocked_ ? descriptor_ : -1, want, deadline)) {
            case Waited::ready: read_input(); break;
            case Waited::timeout: {
                const Clock::time_point now = Clock::now();
                if (now >= answer_until_) {
                    answer_overdue();
                } else if (now >= operation.deadline_) {
                    Failure why;
                    why.kind = Failure::Kind::network_timeout;
                    why.message = "canceling statement due to timeout";
                    give_up(operation, std::move(why));
                    drain(wait);
                }
                break;
            }
            case Waited::interrupted: {
                Failure why;
                why.kind = Failure::Kind::interrupted;
                why.message = "interrupted";
                give_up(operation, std::move(why));
                drain(wait);
                break;
            }
            case Waited::failed: lost(); break;
        }
    }
    settle();
    operation.release();
}

// After a cancellation: takes what the server still sends, within reason.
void Connection::drain(SocketWait& wait) noexcept {
    const Clock::time_point until = Clock::now() + drain_time;
    while (connected() && (!expected_.empty() || exclusive_ || cancelling())) {
        if (unflushed_ || blocked_) flush();
        if (!connected()) return;
        const bool owed = !expected_.empty() || exclusive_;
        const auto slice = Clock::now() + std::chrono::milliseconds(owed ? 100 : 1);
        const Waited waited = wait.wait(owed ? descriptor_ : -1, blocked_ ? Want::both : Want::read, std::min(until, slice));
        if (waited == Waited::interrupted) return;
        if (waited == Waited::ready) read_input();
        else if (waited == Waited::failed) lost();
        if (Clock::now() >= until) return;
    }
}

Waited Connection::wait_input(SocketWait& wait, Clock::time_point deadline) noexcept {
    if (!connected()) return Waited::failed;
    for (;;) {
        input_seen_ = false;
        if (!poll_input()) return Waited::failed;
        if (input_seen_) return Waited::ready;
        const Waited waited = wait.wait(descriptor_, Want::read, deadline);
        if (waited != Waited::ready) return waited;
    }
}

// --- both --------------------------------------------------------------------------------------------------------------

bool Connection::flush() noexcept {
    unflushed_ = false;
    const int left = libpq_->PQflush_(connection_);
    blocked_ = left > 0;
    if (left >= 0) return true;
    // The server may have said why before it hung up.
    if (libpq_->PQconsumeInput_(connection_)) {
        receive();
        receive_exclusive();
    }
    if (connected()) lost();
    return false;
}

// False: the connection is lost.
bool Connection::read_input() noexcept {
    bool again = false;
    if (stage_ == Stage::copy_in && server_protests()) end_copy("stopped by the client");
    for (int round = 0; round < most_reads; ++round) {
        const bool alive = libpq_->PQconsumeInput_(connection_) != 0;
        // What has arrived before the end, a last word of the server perhaps, belongs to operations still.
        receive();
        receive_exclusive();
        take_notifications();
        if (!connected()) return false;
        if (!alive) {
            lost();
            return false;
        }
        if ((expected_.empty() && !exclusive_) || paused_) return true;
        if (stage_ == Stage::copy_in) return true;
        int available = 0;
        if (::ioctl(descriptor_, FIONREAD, &available) == 0 && available > 0) {
            again = false;
            continue;
        }
        // The rest of a TLS record may stand in the library's buffer, where the descriptor does not show it.
        if (again || !libpq_->PQsslInUse_(connection_)) return true;
        again = true;
    }
    return true;
}

bool Connection::poll_input() noexcept {
    if (!connected()) return false;
    return read_input();
}

void Connection::take_notifications() noexcept {
    while (PGnotify* notify = libpq_->PQnotifies_(connection_)) {
        input_seen_ = true;
        if (observer) observer->notification(notify->relname, notify->extra ? notify->extra : "", notify->be_pid);
        libpq_->PQfreemem_(notify);
    }
}

void Connection::notice_received(void* self, const PGresult* result) {
    auto& connection = *static_cast<Connection*>(self);
    connection.input_seen_ = true;
    if (connection.observer) connection.observer->notice(Result(*connection.libpq_, result));
}

void Connection::part() noexcept {
    told_ = true;
    Reactor::forget_turn_end(*this);
    if (watching_) unwatch();
    if (watchdog_.armed() && reactor_) reactor_->disarm(watchdog_);
    reactor_.reset();
}

bool Connection::fit() noexcept {
    if (!connected() || busy()) return false;
    take_suspicion();
    char byte;
    const ssize_t count = ::recv(descriptor_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (count < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
    // Something unasked: a notification, or a farewell with the end behind it.
    if (count == 0 || !read_input() || !read_input()) {
        if (connected()) lost();
        return false;
    }
    return true;
}

// --- facts -------------------------------------------------------------------------------------------------------------

TransactionStatus Connection::transaction_status() const noexcept {
    if (!connected()) return TransactionStatus::unknown;
    if (busy()) return TransactionStatus::active;
    switch (libpq_->PQtransactionStatus_(connection_)) {
        case PQTRANS_IDLE: return TransactionStatus::idle;
        case PQTRANS_ACTIVE: return TransactionStatus::active;
        case PQTRANS_INTRANS: return TransactionStatus::open;
        case PQTRANS_INERROR: return TransactionStatus::failed;
        case PQTRANS_UNKNOWN: break;
    }
    return TransactionStatus::unknown;
}

int Connection::server_version() const noexcept { return connection_ ? libpq_->PQserverVersion_(connection_) : 0; }
int Connection::backend_process() const noexcept { return connection_ ? libpq_->PQbackendPID_(connection_) : 0; }
bool Connection::encrypted() const noexcept { return connection_ && libpq_->PQsslInUse_(connection_) != 0; }
int Connection::protocol_version() const noexcept { return connection_ ? libpq_->PQprotocolVersion_(connection_) : 0; }

const char* Connection::parameter_status(const char* name) const noexcept {
    return connection_ ? libpq_->PQparameterStatus_(connection_, name) : nullptr;
}

const char* Connection::info(std::string_view what) const noexcept {
    if (!connection_) return "";
    const char* text = nullptr;
    if (what == "host") text = libpq_->PQhost_(connection_);
    else if (what == "hostaddr") text = libpq_->PQhostaddr_(connection_);
    else if (what == "port") text = libpq_->PQport_(connection_);
    else if (what == "dbname") text = libpq_->PQdb_(connection_);
    else if (what == "user") text = libpq_->PQuser_(connection_);
    else if (what == "password") text = libpq_->PQpass_(connection_);
    else if (what == "options") text = libpq_->PQoptions_(connection_);
    else if (what == "error_message") text = libpq_->PQerrorMessage_(connection_);
    return text ? text : "";
}

}  // namespace barewire::net::pg
