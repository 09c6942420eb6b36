// Client::run: one operation driven in place by the calling thread. Event loops are served by flight.
#include <cerrno>
#include <utility>

#include "net/blocking.h"
#include "net/mongo/engine.h"

namespace barewire::net::mongo {

namespace {

class FunctionInterrupt final : public Interrupt {
public:
    explicit FunctionInterrupt(const std::function<bool()>& ask) : ask_(ask) {}
    bool interrupted() noexcept override { return ask_ && ask_(); }

private:
    const std::function<bool()>& ask_;
};

class BlockedOnServer final : public Parked {
public:
    void wake() noexcept override { signal.notify(); }
    Signal signal;
};

class BlockedOnConnection final : public ConnectionWaiter {
public:
    void grant(Connection& connection, bool connected) noexcept override {
        claim = {&connection, connected};
        signal.notify();
    }
    void dismissed(const Failure& why) noexcept override {
        failure = why;
        signal.notify();
    }
    Signal signal;
    ConnectionPool::Claim claim;
    Failure failure;
};

Failure made(Failure::Kind kind, const char* text, const std::string& address = {}) {
    Failure failure;
    failure.kind = kind;
    failure.message = text;
    failure.address = address;
    return failure;
}

class BlockingRun {
public:
    BlockingRun(Engine& engine, Operation& operation, Interrupt& interrupt) noexcept
        : engine_(engine), operation_(operation), exchange_(engine, operation), interrupt_(interrupt) {}

    void run() noexcept {
        while (attempt() == Next::retry) {
        }
        exchange_.finish();
    }

private:
    Next stop(Failure&& failure) noexcept {
        exchange_.stop(std::move(failure));
        return Next::finish;
    }

    Next attempt() noexcept {
        Failure failure;
        Server* server = engine_.choose(exchange_, operation_);
        if (!server) server = wait_for_server(failure);
        if (!server) {
            if (failure.kind != Failure::Kind::interrupted && exchange_.restore_first_outcome()) return Next::finish;
            return stop(std::move(failure));
        }
        Connection* connection = check_out(*server, failure);
        if (!connection) return exchange_.fail(std::move(failure));
        if (!exchange_.prepare(*connection)) return exchange_.refuse();
        Step step = connection->channel.secure()
                        ? exchange_.send_secure(operation_.socket_timeout, &interrupt_, failure)
                        : drive(&Exchange::send, Want::write, failure);
        if (step == Step::done && operation_.expects_reply) {
            operation_.reply.clear();
            step = drive(&Exchange::receive, Want::read, failure);
        }
        if (step == Step::done) return exchange_.conclude();
        return exchange_.fail(std::move(failure));
    }

    Server* wait_for_server(Failure& failure) noexcept {
        for (;;) {
            BlockedOnServer blocked;
            Server* server = nullptr;
            if (!engine_.park(blocked, exchange_, operation_, server)) {
                if (!server) failure = engine_.no_server(operation_);
                return server;
            }
            const Waited waited = blocked.signal.wait(exchange_.selection_deadline(), interrupt_);
            // When wake() has been called it has also returned: both happen under the list's mutex.
            engine_.unpark(blocked);
            if (waited == Waited::interrupted) {
                failure = made(Failure::Kind::interrupted, "interrupted");
                return nullptr;
            }
            if ((server = engine_.choose(exchange_, operation_))) return server;
            if (waited == Waited::timeout || engine_.closed() || engine_.broken_for_ever()) {
                failure = engine_.no_server(operation_);
                return nullptr;
            }
        }
    }

    Connection* check_out(Server& server, Failure& failure) noexcept {
        const Clock::time_point now = Clock::now();
        const Clock::time_point deadline = operation_.wait_queue_timeout > Clock::duration::zero()
                                               ? now + operation_.wait_queue_timeout
                                               : Clock::time_point::max();
        for (;;) {
            if (engine_.closed()) return failure = engine_.no_server(operation_), nullptr;
            Connection* connection = server.pool.try_acquire();
            if (!connection) connection = wait_for_connection(server, deadline, failure);
            if (!connection) {
                if (failure) return nullptr;
                continue;
            }
            Reactor::detach(*connection);
            if (connection->fit(now, engine_.settings().max_idle_time)) return connection;
            server.discard(*connection);
        }
    }

    // nullptr without failure: try again.
    Connection* wait_for_connection(Server& server, Clock::time_point deadline, Failure& failure) noexcept {
        BlockedOnConnection blocked;
        switch (server.pool.wait(blocked, blocked.claim)) {
            case pool::Waiting::granted: break;
            case pool::Waiting::closed: failure = engine_.no_server(operation_); return nullptr;
            case pool::Waiting::queued: {
                server.replenish();
                Waited waited = blocked.signal.wait(deadline, interrupt_);
                if (waited != Waited::ready && !server.pool.cancel(blocked)) {
                    // A grant or a dismissal is under way on another thread and must be taken.
                    NoInterrupt never;
                    blocked.signal.wait(Clock::time_point::max(), never);
                    if (blocked.claim && waited == Waited::interrupted) give_back(server, blocked.claim);
                }
                if (waited == Waited::interrupted) {
                    failure = made(Failure::Kind::interrupted, "interrupted");
                    return nullptr;
                }
                if (!blocked.claim && !blocked.failure) {
                    failure = made(Failure::Kind::wait_queue_timeout, "Timed out while checking out a connection from connection pool",
                                   server.address);
                    return nullptr;
                }
                break;
            }
        }
        if (blocked.failure) {
            failure = std::move(blocked.failure);
            return nullptr;
        }
        if (!blocked.claim.connected) {
            server.discard(*blocked.claim.connection);
            return nullptr;
        }
        return blocked.claim.connection;
    }

    class NoInterrupt final : public Interrupt {
        bool interrupted() noexcept override { return false; }
    };

    static void give_back(Server& server, const ConnectionPool::Claim& claim) noexcept {
        if (claim.connected) server.release(*claim.connection);
        else server.discard(*claim.connection);
    }

    // Repeats a step until it is over. A plain socket blocks inside the step for up to a slice; TLS does not block.
    Step drive(Step (Exchange::*step)(bool, Failure&) noexcept, Want want, Failure& failure) noexcept {
        const Clock::duration limit = operation_.socket_timeout;
        Clock::time_point deadline = Clock::time_point::max();
        for (;;) {
            const Step result = (exchange_.*step)(false, failure);
            if (result != Step::again) return result;
            const Connection& connection = *exchange_.connection();
            // The clock is only asked when something had to wait.
            if (limit > Clock::duration::zero() && deadline == Clock::time_point::max()) {
                const Clock::duration waited =
                    connection.channel.secure() ? Clock::duration::zero() : Clock::duration(wait_slice);
                deadline = Clock::now() + limit - (waited < limit ? waited : limit);
            }
            if (interrupt_.interrupted()) {
                failure = made(Failure::Kind::interrupted, "interrupted", connection.facts.address);
                return Step::failed;
            }
            if (limit > Clock::duration::zero() || connection.channel.secure()) {
                switch (wait_descriptor(connection.descriptor(), want, deadline, interrupt_)) {
                    case Waited::ready: break;
                    case Waited::timeout:
                        failure = made(Failure::Kind::network_timeout, "timed out", connection.facts.address);
                        return Step::failed;
                    case Waited::interrupted:
                        failure = made(Failure::Kind::interrupted, "interrupted", connection.facts.address);
                        return Step::failed;
                    case Waited::failed:
                        failure = made(Failure::Kind::network, "connection closed", connection.facts.address);
                        failure.code = errno;
                        return Step::failed;
                }
            }
        }
    }

    Engine& engine_;
    Operation& operation_;
    Exchange exchange_;
    Interrupt& interrupt_;
};

}  // namespace

void Engine::run(Operation& operation, const std::function<bool()>& interrupted) noexcept {
    const std::shared_ptr<Engine> alive = shared_from_this();
    FunctionInterrupt interrupt(interrupted);
    BlockingRun(*this, operation, interrupt).run();
}

}  // namespace barewire::net::mongo
