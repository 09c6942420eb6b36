// Making a connection: name lookup, handshake, password; in place for blocking callers, on a worker for event loops.
#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "net/blocking.h"
#include "net/failure.h"
#include "net/pg/engine.h"
#include "net/pg/operation.h"
#include "net/reactor.h"

struct pg_conn;   // libpq's PGconn

namespace barewire::net::pg {

// libpq's own keywords and values. A whole connection string (keywords or URI) is the value of "dbname"; what follows it
// overrides it, what stands before is overridden.
struct ConnectOptions {
    std::vector<std::pair<std::string, std::string>> parameters;
    // Besides libpq's connect_timeout (which holds for each host): for everything; zero: no limit.
    Clock::duration timeout = Clock::duration::zero();
};

// Blocks in name lookup and waits for the server; call it without the interpreter's lock. `interrupt` is asked every 0.1 s.
// The connection is non-blocking; its notices during the handshake are dropped. nullptr: `failure` says why (kinds network,
// network_timeout, configuration, authentication, interrupted, out_of_memory), with libpq's own text; `needs_password`: the
// server asked for one and none was given.
pg_conn* connect(const Engine& engine, const ConnectOptions& options, Interrupt& interrupt, Failure& failure,
                 bool* needs_password = nullptr) noexcept;

// The same for an event loop. Keep it alive until connected() or dropped() has been called; exactly one of them is, unless
// start() returns false.
class Connecting : private Task {
public:
    // False: `failure` is set.
    bool start(std::shared_ptr<Engine> engine, std::shared_ptr<const ConnectOptions> options, Reactor& reactor) noexcept;
    // On the reactor's thread: the result is not wanted any more. connected() is still called, soon, with kind `cancelled`.
    void cancel() noexcept { cancelled_.store(true, std::memory_order_relaxed); }

    Failure failure;
    bool needs_password = false;

protected:
    ~Connecting() = default;
    // On the reactor's thread. `connection` is the callee's, or nullptr: `failure` is set.
    virtual void connected(pg_conn* connection) noexcept = 0;
    // The reactor was closed first; on whichever thread finds out.
    virtual void dropped() noexcept = 0;

private:
    friend class ConnectJob;
    void run() noexcept final;
    void abandoned() noexcept final;

    std::shared_ptr<Engine> engine_;
    std::shared_ptr<Reactor> reactor_;
    pg_conn* made_ = nullptr;
    std::atomic<bool> cancelled_{false};
};

}  // namespace barewire::net::pg
