// Single statements of many tasks of one event loop over few connections of a pool: automatic pipelining. Pools know nothing
// of it.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "net/pg/expected.h"
#include "net/pg/pool.h"

namespace barewire::net::pg {

// One per pool and event loop, on the loop's thread. A connection is shared as long as something is under way on it, and goes
// back to the pool as soon as nothing is. Who waits in the pool for a connection of his own is not starved: while anybody
// waits, only half of the pool's connections take new statements, and without any of these a statement waits in the pool too.
class SharedConnections final : public OperationHolder, public std::enable_shared_from_this<SharedConnections> {
public:
    // `limit`: most connections shared at the same time. `timeout`: for getting a connection, zero: no limit.
    SharedConnections(std::shared_ptr<ConnectionPool> pool, Reactor& reactor, std::uint32_t limit, Clock::duration timeout);
    ~SharedConnections();

    // Autocommit. `shared` false: it gets a connection of its own, which is reset behind it (whatever kind it is). Its
    // completed() is called, possibly inside.
    void submit(Operation& operation, bool shared) noexcept;
    void give_up(Operation& operation, Failure&& why) noexcept override;

    std::uint32_t connections() const noexcept { return static_cast<std::uint32_t>(lanes_.size()); }

private:
    class Lane;
    class Own;
    class Wanted;
    friend class Lane;
    friend class Own;
    friend class Wanted;

    Lane* choose() noexcept;
    Lane* add(PooledConnection& connection) noexcept;
    void remove(Lane& lane) noexcept;
    void want_connection() noexcept;
    void got(PooledConnection& connection) noexcept;
    void refused(const Failure& why) noexcept;
    bool take(Operation& operation) noexcept;
    void hand_over(Operation& operation, Connection& connection) noexcept;
    void end(Operation& operation, const Failure& why, bool tell = true) noexcept;
    void drop() noexcept;
    void rest() noexcept;

    const std::shared_ptr<ConnectionPool> pool_;
    const std::shared_ptr<Reactor> reactor_;
    const std::uint32_t limit_;
    const Clock::duration timeout_;
    std::vector<std::unique_ptr<Lane>> lanes_;
    OperationQueue waiting_;              // until `wanted_` brings a connection
    std::unique_ptr<Wanted> wanted_;      // asks the pool; one at a time
    Own* first_own_ = nullptr;            // those that wait for a connection of their own
    std::shared_ptr<SharedConnections> alive_;   // while anything is under way
};

}  // namespace barewire::net::pg
