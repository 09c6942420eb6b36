// The way of one operation over an event loop: waiting for a server, for a connection, for the reply.
#include "net/mongo/flight.h"

#include <new>
#include <utility>

namespace barewire::net::mongo {

namespace {

constexpr auto far_away = std::chrono::hours(24 * 365);

// Flights of this thread that were granted something by another flight of this thread. They run when that one is done:
// without a system call, and without nesting.
struct Local {
    Reactor* reactor = nullptr;   // whose callback is running
    Flight* first = nullptr;
    Flight** last = &first;
};
thread_local Local local;

Failure made(Failure::Kind kind, const char* text, const std::string& address = {}) {
    Failure failure;
    failure.kind = kind;
    failure.message = text;
    failure.address = address;
    return failure;
}

class Unstoppable final : public Interrupt {
public:
    bool interrupted() noexcept override { return false; }
};

// Requests up to this size fit the socket's buffer, which is empty before a request.
constexpr std::size_t small_request = 8 * 1024;

}  // namespace

// Marks the reactor whose thread this is, and runs what became possible meanwhile when the outermost callback ends.
class LocalScope {
public:
    explicit LocalScope(const std::shared_ptr<Reactor>& reactor) noexcept : reactor_(reactor) {
        outermost_ = local.reactor == nullptr;
        if (outermost_) local.reactor = reactor_.get();
    }
    ~LocalScope() {
        if (!outermost_) return;
        while (Flight* flight = local.first) {
            local.first = flight->next_local_;
            if (!local.first) local.last = &local.first;
            // Closed meanwhile: its timer has told it, so nobody waits for it any more.
            if (reactor_->closed()) flight->leave_behind();
            else flight->resume();
        }
        local.reactor = nullptr;
    }
    LocalScope(const LocalScope&) = delete;
    LocalScope& operator=(const LocalScope&) = delete;

private:
    const std::shared_ptr<Reactor> reactor_;   // flights drop theirs
    bool outermost_;
};

void Engine::start(Operation& operation, Reactor& reactor) noexcept {
    auto* flight = new (std::nothrow) Flight(shared_from_this(), operation, reactor);
    if (!flight) {
        operation.failure = made(Failure::Kind::out_of_memory, "");
        operation.finished = true;
        operation.completed();
        return;
    }
    flight->go();
}

Flight::Flight(std::shared_ptr<Engine> engine, Operation& operation, Reactor& reactor) noexcept
    : engine_(std::move(engine)), reactor_(reactor.shared_from_this()), operation_(&operation),
      exchange_(*engine_, operation) {
    operation.retain();
}

void Flight::go() noexcept {
    LocalScope scope(reactor_);
    for (bool on = true; on;) {
        state_ = State::running;
        if (operation_->abandoned()) {
            end_with(made(Failure::Kind::cancelled, "cancelled"));
            return;
        }
        Server* server = engine_->choose(exchange_, *operation_);
        on = server ? check_out(*server) : wait_for_server();
    }
}

bool Flight::arm(Clock::time_point when) noexcept {
    if (reactor_->arm(timer_, when)) return true;
    end_with(reactor_->closed() ? made(Failure::Kind::closed, "event loop is closed")
                                : made(Failure::Kind::out_of_memory, ""));
    return false;
}

bool Flight::wait_for_server() noexcept {
    if (Clock::now() >= exchange_.selection_deadline() || engine_->closed())
        return end_with(engine_->no_server(*operation_));
    if (!arm(exchange_.selection_deadline())) return false;
    state_ = State::parked;
    Server* server = nullptr;
    // From here to the return, another thread may already have posted us; this thread runs that later.
    if (engine_->park(*this, exchange_, *operation_, server)) return false;
    reactor_->disarm(timer_);
    state_ = State::running;
    return server ? check_out(*server) : end_with(engine_->no_server(*operation_));
}

bool Flight::check_out(Server& server) noexcept {
    if (engine_->closed()) return end_with(engine_->no_server(*operation_));
    if (Connection* connection = server.pool.try_acquire()) return launch(*connection);
    server_ = &server;
    const Clock::duration limit = operation_->wait_queue_timeout;
    if (!arm(Clock::now() + (limit > Clock::duration::zero() ? limit : Clock::duration(far_away)))) return false;
    state_ = State::queued;
    claim_ = {};
    dismissal_ = {};
    ConnectionPool::Claim claim;
    switch (server.pool.wait(*this, claim)) {
        case pool::Waiting::queued:
            server.replenish();
            return false;
        case pool::Waiting::granted:
            reactor_->disarm(timer_);
            if (claim.connected) return launch(*claim.connection);
            server.discard(*claim.connection);
            return true;
        case pool::Waiting::closed: break;
    }
    reactor_->disarm(timer_);
    return end_with(engine_->no_server(*operation_));
}

bool Flight::launch(Connection& connection) noexcept {
    if (!connection.fit(Clock::now(), engine_->settings().max_idle_time)) {
        connection.server->discard(connection);
        return true;
    }
    if (!exchange_.prepare(connection)) {
        exchange_.refuse();
        complete();
        return false;
    }
    connection.user = this;
    if (connection.channel.secure()) return launch_secure(connection);
    Failure failure;
    state_ = State::sending;
    const Step step = exchange_.send(true, failure);
    if (step == Step::failed) return failed(std::move(failure));
    if (step == Step::done && !operation_->expects_reply) return settle(exchange_.conclude());
    return await_reply(connection, step == Step::done ? Want::read : Want::write);
}

bool Flight::await_reply(Connection& connection, Want want) noexcept {
    if (want == Want::read) {
        state_ = State::receiving;
        operation_->reply.clear();
    }
    if (const int error = reactor_->begin(connection, want)) {
        Failure failure = made(Failure::Kind::network, "cannot watch the connection", connection.facts.address);
        failure.code = error;
        return failed(std::move(failure));
    }
    if (operation_->socket_timeout > Clock::duration::zero() &&
        !reactor_->arm(timer_, Clock::now() + operation_->socket_timeout)) {
        reactor_->end(connection);
        return failed(made(Failure::Kind::out_of_memory, ""));
    }
    return false;
}

void Flight::connection_ready() noexcept {
    LocalScope scope(reactor_);
    Connection& connection = *exchange_.connection();
    Failure failure;
    Step step;
    if (state_ == State::sending) {
        step = exchange_.send(true, failure);
        if (step == Step::again) return;
        if (step == Step::done && operation_->expects_reply) {
            state_ = State::receiving;
            operation_->reply.clear();
            if (reactor_->want(connection, Want::read) == 0) return;
            failure = made(Failure::Kind::network, "cannot watch the connection", connection.facts.address);
            step = Step::failed;
        }
    } else {
        step = exchange_.receive(true, failure);
        if (step == Step::again) return;
    }
    reactor_->disarm(timer_);
    reactor_->end(connection);
    if (step == Step::failed ? failed(std::move(failure)) : settle(exchange_.conclude())) go();
}

bool Flight::settle(Next next) noexcept {
    if (next == Next::retry) return true;
    complete();
    return false;
}

bool Flight::failed(Failure&& failure) noexcept {
    // Nobody wants the result any more, so nobody wants a second attempt.
    if (operation_->abandoned()) return end_with(std::move(failure));
    return settle(exchange_.fail(std::move(failure)));
}

bool Flight::end_with(Failure&& failure) noexcept {
    const bool no_server = failure.kind == Failure::Kind::server_selection || failure.kind == Failure::Kind::closed;
    if (!no_server || !exchange_.restore_first_outcome()) exchange_.stop(std::move(failure));
    complete();
    return false;
}

void Flight::give_back(const ConnectionPool::Claim& claim) noexcept {
    if (claim.connected) server_->release(*claim.connection);
    else server_->discard(*claim.connection);
}

void Flight::complete() noexcept {
    reactor_->disarm(timer_);
    exchange_.finish();
    Operation* operation = std::exchange(operation_, nullptr);
    delete this;
    operation->completed();
    operation->release();
}

void Flight::drop() noexcept {
    exchange_.finish();
    std::exchange(operation_, nullptr)->release();
    delete this;
}

// --- TLS -------------------------------------------------------------------------------------------------------------

class SecureSend final : public Job, public Interrupt {
public:
    explicit SecureSend(Flight& flight) noexcept : flight_(flight) {}
    void run(const std::atomic<bool>& stop) noexcept override {
        stop_ = &stop;
        flight_.secure_step_ = flight_.exchange_.send_secure(flight_.operation_->socket_timeout, this, flight_.secure_failure_);
        hand_back();
    }
    void abandoned() noexcept override {
        flight_.secure_step_ = Step::failed;
        flight_.secure_failure_ = made(Failure::Kind::closed, "client is closed");
        hand_back();
    }
    // relaxed: flags that are polled.
    bool interrupted() noexcept override {
        return stop_->load(std::memory_order_relaxed) || flight_.give_up_.load(std::memory_order_relaxed);
    }

private:
    void hand_back() noexcept {
        flight_.handed_back_.notify();
        flight_.post();
    }

    Flight& flight_;
    const std::atomic<bool>* stop_ = nullptr;
};

bool Flight::launch_secure(Connection& connection) noexcept {
    if (exchange_.request_size() <= small_request) {
        secure_step_ = exchange_.send_secure(std::chrono::seconds(1), nullptr, secure_failure_);
        return sent_secure();
    }
    secure_step_ = Step::again;
    std::unique_ptr<Job> job(new (std::nothrow) SecureSend(*this));
    if (!arm(Clock::now() + far_away)) return false;
    state_ = State::handed_over;
    // From here on the worker may have posted us already.
    if (job && engine_->workers().submit(job) == Submitted::accepted) return false;
    reactor_->disarm(timer_);
    return failed(made(Failure::Kind::network, "no thread to send with", connection.facts.address));
}

bool Flight::sent_secure() noexcept {
    if (secure_step_ != Step::done) {
        Failure failure = std::exchange(secure_failure_, {});
        if (failure.kind == Failure::Kind::interrupted) failure = made(Failure::Kind::closed, "client is closed");
        return failed(std::move(failure));
    }
    if (!operation_->expects_reply) return settle(exchange_.conclude());
    return await_reply(*exchange_.connection(), Want::read);
}

// --- news from other threads -----------------------------------------------------------------------------------------

void Flight::post() noexcept {
    if (local.reactor == reactor_.get()) {
        next_local_ = nullptr;
        *local.last = this;
        local.last = &next_local_;
        return;
    }
    // The engine must not end inside its own callback when the flight goes.
    const std::shared_ptr<Engine> engine = engine_;
    const std::shared_ptr<Reactor> reactor = reactor_;
    if (!reactor->post(resume_)) leave_behind();
}

void Flight::wake() noexcept { post(); }

void Flight::grant(Connection& connection, bool connected) noexcept {
    claim_ = {&connection, connected};
    post();
}

void Flight::dismissed(const Failure& why) noexcept {
    dismissal_ = why;
    post();
}

void Flight::leave_behind() noexcept {
    if (claim_) give_back(std::exchange(claim_, {}));
    // acq_rel: the later one sees everything the earlier one did before it deletes.
    if (left_behind_.exchange(true, std::memory_order_acq_rel)) delete this;
}

// --- on the reactor's thread -----------------------------------------------------------------------------------------

void Flight::resume() noexcept {
    LocalScope scope(reactor_);
    reactor_->disarm(timer_);
    bool on = true;
    if (state_ == State::handed_over) {
        on = sent_secure();
    } else if (state_ == State::queued) {
        const ConnectionPool::Claim claim = std::exchange(claim_, {});
        if (claim && operation_->abandoned()) {
            give_back(claim);
            on = end_with(made(Failure::Kind::cancelled, "cancelled"));
        } else if (claim && claim.connected) {
            on = launch(*claim.connection);
        } else if (claim) {
            server_->discard(*claim.connection);
        } else {
            Failure why = std::exchange(dismissal_, {});
            on = why.kind == Failure::Kind::closed ? end_with(std::move(why)) : failed(std::move(why));
        }
    }
    if (on) go();
}

void Flight::out_of_time() noexcept {
    LocalScope scope(reactor_);
    switch (state_) {
        case State::parked:
            // Not parked any more: the wake-up is on its way, and go() looks at the deadline itself.
            if (engine_->unpark(*this)) go();
            else reactor_->arm(timer_, Clock::now() + far_away);
            break;
        case State::queued:
            if (server_->pool.cancel(*this))
                end_with(made(Failure::Kind::wait_queue_timeout,
                              "Timed out while checking out a connection from connection pool", server_->address));
            else reactor_->arm(timer_, Clock::now() + far_away);
            break;
        case State::sending:
        case State::receiving: {
            Connection& connection = *exchange_.connection();
            reactor_->end(connection);
            if (failed(made(Failure::Kind::network_timeout, "timed out", connection.facts.address))) go();
            break;
        }
        case State::handed_over: reactor_->arm(timer_, Clock::now() + far_away); break;
        case State::running: break;
    }
}

void Flight::reactor_closed() noexcept {
    bool ours = true;
    if (state_ == State::handed_over) {
        give_up_.store(true, std::memory_order_relaxed);
        // The worker uses the operation's bytes until it says so; it looks at the flag every 0.1 s.
        Unstoppable unstoppable;
        handed_back_.wait(Clock::time_point::max(), unstoppable);
        exchange_.stop(made(Failure::Kind::closed, "event loop is closed"));
        ours = false;
    }
    if (state_ == State::parked) ours = engine_->unpark(*this);
    else if (state_ == State::queued) ours = server_->pool.cancel(*this);
    if (ours) {
        drop();
        return;
    }
    exchange_.finish();
    std::exchange(operation_, nullptr)->release();
    if (left_behind_.exchange(true, std::memory_order_acq_rel)) delete this;
}

void Flight::connection_abandoned() noexcept {
    reactor_->disarm(timer_);
    exchange_.stop(made(Failure::Kind::closed, "event loop is closed"));
    drop();
}

}  // namespace barewire::net::mongo
