// One pooled connection and the server it leads to. Messages and waiting callers may not live here.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "net/mongo/channel.h"
#include "net/mongo/operation.h"
#include "net/reactor.h"
#include "net/step.h"
#include "pool/pending.h"
#include "pool/pool.h"

namespace barewire::net::mongo {

class Engine;
class Server;

// Who is told about a connection in flight on a reactor.
class ConnectionUser {
public:
    virtual void connection_ready() noexcept = 0;
    virtual void connection_abandoned() noexcept = 0;

protected:
    ~ConnectionUser() = default;
};

// A slot's content. Everything belongs to the owner of the slot.
class Connection : public Steppable {
public:
    Channel channel;
    ServerFacts facts;
    Server* server = nullptr;
    std::uint32_t generation = 0;        // of the pool when it was connected
    Clock::time_point created, last_use;
    ConnectionUser* user = nullptr;      // while in flight
    base::Buffer tail, cluster_time;     // parts of the request being sent; their memory is reused

    Connection() noexcept = default;
    int descriptor() const noexcept final { return channel.descriptor(); }
    void ready() noexcept final { user->connection_ready(); }
    void abandoned() noexcept final { user->connection_abandoned(); }
    void close() noexcept;               // as the pool wants it: afterwards it may be connected again
    // Before use after a pause: false when the server has hung up or it has been idle for too long.
    bool fit(Clock::time_point now, Clock::duration max_idle_time) noexcept;
};

using ConnectionPool = pool::Pool<Connection>;

// A caller that waits for a connection. Granted connected ones; dismissed when none can be made.
class ConnectionWaiter : public ConnectionPool::Waiter {
public:
    virtual void dismissed(const Failure& why) noexcept = 0;

protected:
    ~ConnectionWaiter() = default;
};

// What the engine keeps for one address as long as it lives.
class Server {
public:
    Server(Engine& engine, std::string address, std::uint32_t max_size)
        : engine(engine), address(std::move(address)), pool(max_size, pool::Grants::connected) {}

    Engine& engine;
    const std::string address;
    ConnectionPool pool;
    // As in the last snapshot. Relaxed: they only decide about $readPreference.
    std::atomic<std::uint8_t> server_type{0}, topology_type{0};
    pool::PendingConnections<ConnectionPool> pending;
    // When connecting failed last, in the clock's ticks. Relaxed: a limit of the rate of attempts.
    std::atomic<Clock::rep> failed{0};
    // Statistics, relaxed.
    std::atomic<std::uint32_t> created{0}, closed{0};

    // Starts as many connections as waiters need, within max_connecting and the pool's size. After every new waiter and
    // after every slot that became empty: that is what keeps a waiter from waiting for nothing.
    void replenish() noexcept;
    // Connects once although nobody waits, to learn whether a server that counts as unknown is there. Not again within a
    // fifth of a second of a failure.
    void probe() noexcept;
    // Gives a slot back empty.
    void discard(Connection& connection) noexcept;
    // Gives a healthy connection back.
    void release(Connection& connection) noexcept;
    // A network error on a connection of that generation: nothing older is trusted any more.
    void distrust(std::uint32_t generation, const Failure& why) noexcept;
    // Everybody who waits gives up with this.
    void dismiss(const Failure& why) noexcept;

private:
    // Has a slot connected that is counted in `pending`.
    void connect(Connection& slot) noexcept;
};

}  // namespace barewire::net::mongo
