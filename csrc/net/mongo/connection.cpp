// Connections of one server: giving back, checking, replenishing. Connecting itself is a job in connecting.cpp.
#include "net/mongo/connection.h"

#include "net/mongo/engine.h"

namespace barewire::net::mongo {

void Connection::close() noexcept {
    Reactor::detach(*this);
    if (!channel.open()) return;
    channel.close();
    if (server) server->closed.fetch_add(1, std::memory_order_relaxed);
}

bool Connection::fit(Clock::time_point now, Clock::duration max_idle_time) noexcept {
    const Clock::duration idle = now - last_use;
    if (max_idle_time > Clock::duration::zero() && idle > max_idle_time) return false;
    const bool suspect = take_suspicion();
    return !(suspect || idle > std::chrono::seconds(1)) || !channel.stale();
}

void Server::release(Connection& connection) noexcept {
    pool.release(connection);
    // A connection of an older generation was closed instead of given on.
    if (pool.waiting() != 0) replenish();
}

void Server::discard(Connection& connection) noexcept {
    connection.close();
    pool.discard(connection);
    replenish();
}

void Server::distrust(std::uint32_t generation, const Failure& why) noexcept {
    if (generation != pool.generation()) return;
    engine.monitors().mark_unknown(address, why);
    pool.clear();
}

void Server::dismiss(const Failure& why) noexcept {
    pool.dismiss_waiters([&](ConnectionPool::Waiter& waiter) { static_cast<ConnectionWaiter&>(waiter).dismissed(why); });
}

}  // namespace barewire::net::mongo
