// Connections shared by many callers: who gets which, when they are made, checked, reset and closed. What travels on a
// connection lives in connection; single statements that share connections in shared.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "net/blocking.h"
#include "net/pg/connect.h"
#include "net/pg/connection.h"
#include "pool/pending.h"
#include "pool/pool.h"

namespace barewire::net::pg {

struct PoolSettings {
    ConnectOptions connect;
    std::uint32_t min_size = 0, max_size = 10;             // connections
    std::uint32_t max_connecting = 3;                      // being made at the same time
    Clock::duration max_age = std::chrono::hours(1);       // looked at between uses, spread by a tenth; zero: no limit
    Clock::duration max_idle = std::chrono::minutes(10);   // of those above min_size, at maintain(); zero: no limit
    // Idle for longer than this: looked whether the server has hung up before it is handed out. A system call.
    Clock::duration check_after = std::chrono::milliseconds(20);
    // Sent when a connection comes back, after a ROLLBACK if it is in a transaction; empty: nothing.
    std::string reset;
    Clock::duration reset_timeout = std::chrono::seconds(5);
    // Sent on each new connection before its first use; empty: nothing.
    std::string setup;
    std::size_t statement_limit = 100;                     // see StatementCache
    bool statements_on_server = true;
};

struct PoolStats {
    // Now.
    std::uint32_t size = 0, idle = 0, in_use = 0, waiting = 0, connecting = 0, min_size = 0, max_size = 0;
    // Since the pool was made. `lost`: found broken; `closed`: for age, idleness, resizing or after a failed reset.
    std::uint64_t acquired = 0, made = 0, failed = 0, lost = 0, closed = 0, timed_out = 0;
};

class ConnectionPool;

// The content of a slot; lives as long as its pool. Belongs to whoever has acquired it.
class PooledConnection : public Connection {
public:
    ConnectionPool* pool = nullptr;
    std::uint64_t uses = 0;                // times acquired; 1: new, so that the layer above can prepare it
    bool doomed = false;                   // set by its user: closed when it is given back
    void close() noexcept;                 // as pool::Pool wants it

private:
    friend class ConnectionPool;
    friend class PoolConnectJob;
    friend class PoolReset;
    Clock::time_point expires_ = Clock::time_point::max();
    bool open_ = false;                    // counted in ConnectionPool::open_
};

using Slots = pool::Pool<PooledConnection>;

// A caller on a thread that may block; waits without the interpreter's lock.
class SignalWait {
public:
    virtual Waited wait(Signal& signal, Clock::time_point deadline) noexcept = 0;

protected:
    ~SignalWait() = default;
};

// Whoever waits for a connection.
class PoolWaiter : public Slots::Waiter {
public:
    // No connection can be made. On any thread, like grant().
    virtual void dismissed(const Failure& why) noexcept = 0;

protected:
    ~PoolWaiter() = default;
};

// A caller on an event loop. Everything happens on the reactor's thread. It must stay alive from start() to one of the
// callbacks.
class Acquiring : private PoolWaiter {
public:
    // One of the callbacks is called: inside start(), from inside the release() of another user on this thread, or by the
    // reactor. `timeout` zero: no limit.
    void start(std::shared_ptr<ConnectionPool> pool, Reactor& reactor, Clock::duration timeout) noexcept;
    // The caller does not want it any more: not_acquired() is called inside, with kind `cancelled`, unless a connection is on
    // its way here already; then that goes back to the pool when it arrives, and not_acquired() is called after it.
    void cancel() noexcept;

protected:
    ~Acquiring() = default;
    virtual void acquired(PooledConnection& connection) noexcept = 0;
    virtual void not_acquired(const Failure& why) noexcept = 0;
    // The reactor was closed while waiting. On the thread that closes it, or later inside a function of the pool.
    virtual void dropped() noexcept = 0;

private:
    friend class ConnectionPool;
    enum class State : std::uint8_t { idle, queued, cancelled };
    class Arrival final : public Task {
    public:
        explicit Arrival(Acquiring& acquiring) noexcept : acquiring_(acquiring) {}
        void run() noexcept override { acquiring_.deliver(); }
        void abandoned() noexcept override { acquiring_.left_behind(); }

    private:
        Acquiring& acquiring_;
    };
    class Timer final : public Deadline {
    public:
        explicit Timer(Acquiring& acquiring) noexcept : acquiring_(acquiring) {}
        void expired() noexcept override { acquiring_.out_of_time(); }
        void abandoned() noexcept override { acquiring_.reactor_closed(); }

    private:
        Acquiring& acquiring_;
    };

    void look() noexcept;
    void grant(PooledConnection& connection, bool connected) noexcept override;
    void dismissed(const Failure& why) noexcept override;
    void arrive() noexcept;
    void deliver() noexcept;
    void left_behind() noexcept;
    void out_of_time() noexcept;
    void reactor_closed() noexcept;
    void refuse(Failure::Kind kind, const char* message) noexcept;

    std::shared_ptr<ConnectionPool> pool_;
    std::shared_ptr<Reactor> reactor_;
    std::thread::id thread_;
    Clock::time_point until_ = Clock::time_point::max();
    Slots::Claim claim_;      // what grant() brought
    Failure why_;             // what dismissed() brought
    State state_ = State::idle;
    Acquiring* next_orphan_ = nullptr;
    Arrival arrival_{*this};
    Timer timer_{*this};
};

// Any number of threads and reactors use one pool. All functions are short and may be called with the interpreter's lock;
// whatever destroys plans of statements happens inside them, never on a worker.
class ConnectionPool : public std::enable_shared_from_this<ConnectionPool> {
public:
    // Throws std::bad_alloc. Nothing is opened.
    ConnectionPool(std::shared_ptr<Engine> engine, PoolSettings settings);
    ~ConnectionPool();
    ConnectionPool(const ConnectionPool&) = delete;
    ConnectionPool& operator=(const ConnectionPool&) = delete;

    // The warmest idle connection, or nullptr when there is none or others wait.
    PooledConnection* try_acquire() noexcept;
    // Waits at most `timeout` (zero: no limit). nullptr: `failure` says why (wait_queue_timeout, interrupted, closed, or what
    // kept new connections from being made).
    PooledConnection* acquire(Clock::duration timeout, SignalWait& wait, Failure& failure) noexcept;

    // Gives it back: rolled back, reset and checked on the way, closed when that fails or it is too old. On an event loop
    // that goes on after the return. `soiled` false: its user can have left nothing behind, so no reset is sent.
    void release(PooledConnection& connection, Reactor& reactor, bool soiled = true) noexcept;
    void release(PooledConnection& connection, SocketWait& wait) noexcept;
    // Closes it instead.
    void discard(PooledConnection& connection) noexcept;

    // Opens connections up to min_size, closes those that have been idle for too long. To be called every few seconds, by a
    // timer of the layer above.
    void maintain() noexcept;
    // Connections above the new maximum are closed when they come back.
    void resize(std::uint32_t min_size, std::uint32_t max_size) noexcept;
    // Every connection is replaced: idle ones now, others when they come back.
    void drain() noexcept;
    // For ever. Callers that wait get kind `closed`; connections in use are closed when they come back.
    void close() noexcept;
    bool closed() const noexcept { return slots_.closed(); }
    // In a fork's child: forgets everything. The object must be leaked, and a new one made.
    void abandon_after_fork() noexcept;

    PoolStats stats() const noexcept;
    const PoolSettings& settings() const noexcept { return settings_; }
    // The error that new connections meet, while they do.
    Failure last_failure() const;
    const std::shared_ptr<Engine>& engine() const noexcept { return engine_; }
    std::uint32_t waiting() const noexcept { return slots_.waiting(); }
    std::uint32_t max_size() const noexcept { return max_size_.load(std::memory_order_relaxed); }
    // Connects once more if the size allows it and nobody does already, although nobody waits.
    void grow() noexcept;

private:
    friend class Acquiring;
    friend class PoolConnectJob;
    friend class PooledConnection;
    friend class PoolReset;

    bool take_place() noexcept;
    void give_place() noexcept { open_.fetch_sub(1, std::memory_order_seq_cst); }
    bool wanted() const noexcept;
    void connect(PooledConnection& slot) noexcept;
    void replenish() noexcept;
    void connected(PooledConnection& slot) noexcept;
    void not_connected(PooledConnection& slot, const Failure& why) noexcept;
    bool usable(PooledConnection& connection) noexcept;
    bool keeps(const PooledConnection& connection) const noexcept;
    void put_back(PooledConnection& connection) noexcept;
    void dismiss(const Failure& why) noexcept;
    void give_back(const Slots::Claim& claim) noexcept;
    void bury(StatementCache& statements) noexcept;
    void exhume() noexcept;

    const std::shared_ptr<Engine> engine_;
    const PoolSettings settings_;
    const std::shared_ptr<const ConnectOptions> options_;
    Slots slots_;
    pool::PendingConnections<Slots> pending_;
    // Sizes and statistics; relaxed but for open_, which counts places against max_size (see take_place).
    std::atomic<std::uint32_t> min_size_, max_size_, open_{0};
    std::atomic<std::uint64_t> acquired_{0}, made_{0}, failed_{0}, lost_{0}, closed_{0}, timed_out_{0};
    mutable std::mutex mutex_;                        // guards the three below
    Failure last_failure_;
    std::vector<std::unique_ptr<Plan>> graveyard_;    // of connections closed where plans may not be destroyed
    Acquiring* orphans_ = nullptr;                    // granted something on a worker when their reactor had gone
};

}  // namespace barewire::net::pg
