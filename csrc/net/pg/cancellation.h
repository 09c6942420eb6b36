// Asking the server, over a connection of its own, to cancel what another connection runs. Nothing else may live here.
#pragma once

#include <atomic>
#include <memory>

#include "net/pg/engine.h"
#include "net/reactor.h"

struct pg_conn;

namespace barewire::net::pg {

// Told on the reactor's thread that the request has been delivered, or could not be.
class CancellationUser {
public:
    virtual void cancellation_done() noexcept = 0;

protected:
    ~CancellationUser() = default;
};

// One request, which outlives the connection if need be.
class Cancellation final : private Task, public std::enable_shared_from_this<Cancellation> {
public:
    // On a worker. `reactor` nullptr: nobody is told, done() is polled. nullptr: no memory, no thread, or no connection.
    static std::shared_ptr<Cancellation> start(std::shared_ptr<Engine> engine, pg_conn* connection, CancellationUser& user,
                                               Reactor* reactor) noexcept;
    explicit Cancellation(std::shared_ptr<Engine> engine) noexcept : engine_(std::move(engine)) {}

    // acquire, partner: the worker's release. Any thread.
    bool done() const noexcept { return done_.load(std::memory_order_acquire); }
    // On the reactor's thread: nobody is told any more.
    void forget_user() noexcept { user_ = nullptr; }

private:
    friend class CancelJob;
    void run() noexcept override;
    void abandoned() noexcept override;
    void finish() noexcept;

    const std::shared_ptr<Engine> engine_;
    std::shared_ptr<Reactor> reactor_;
    std::shared_ptr<Cancellation> self_;   // while posted
    CancellationUser* user_ = nullptr;     // the reactor's thread only
    std::atomic<bool> done_{false};
};

}  // namespace barewire::net::pg
