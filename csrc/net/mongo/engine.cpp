// The shared parts of a client: sessions, times, views, statistics. Ways of single operations live elsewhere.
#include "net/mongo/engine.h"

#include <utility>

#include "net/mongo/library.h"
#include "net/mongo/selection.h"

namespace barewire::net::mongo {

namespace {

constexpr unsigned worker_limit = 16;

}  // namespace

std::shared_ptr<Client> Client::create(Settings settings) {
    const auto engine = std::make_shared<Engine>(std::move(settings));
    // The last handle closes; flights, jobs and monitors hold the engine itself. So workers are joined by the holder of a
    // handle, never by one of themselves.
    return {engine.get(), [engine](Client*) { engine->close(); }};
}

Engine::Engine(Settings settings)
    : settings_(std::move(settings)), topology_(settings_, [this] { deployment_changed(); }), workers_(worker_limit) {}

Engine::~Engine() { close(); }

std::unique_ptr<ServerSession> Engine::acquire_session() {
    return sessions_.acquire(session_timeout_minutes_.load(std::memory_order_relaxed));
}

void Engine::release_session(std::unique_ptr<ServerSession> session) noexcept {
    sessions_.release(std::move(session), session_timeout_minutes_.load(std::memory_order_relaxed));
}

base::Buffer Engine::cluster_time() const {
    base::Buffer document;
    if (!cluster_time_.copy(document)) throw std::bad_alloc();
    return document;
}

void Engine::advance_cluster_time(const std::uint8_t* document, std::size_t size) noexcept {
    cluster_time_.advance(document, size);
}

TopologyView Engine::topology() const {
    const std::shared_ptr<const Snapshot> snapshot = topology_.snapshot();
    TopologyView view;
    view.epoch = snapshot->epoch;
    view.type = snapshot->type_name;
    for (const auto& server : snapshot->servers) {
        ServerView& one = view.servers.emplace_back();
        one.address = server->address;
        one.type = server->type;
        one.round_trip_microseconds = server->round_trip_microseconds;
        if (!one.hello.append(server->hello.data(), server->hello.size())) throw std::bad_alloc();
        one.error = server->error;
        one.error_code = server->error_code;
    }
    return view;
}

bool Engine::wait_topology(std::uint64_t seen, Clock::duration timeout) noexcept {
    return topology_.wait(seen, Clock::now() + timeout);
}

std::vector<PoolStats> Engine::pool_stats() const {
    std::vector<PoolStats> all;
    std::lock_guard guard(mutex_);
    for (const auto& [address, server] : servers_) {
        const pool::Stats pool = server->pool.stats();
        PoolStats& one = all.emplace_back();
        one.address = address;
        one.in_use = pool.claimed;
        one.open = pool.claimed + pool.idle;
        one.waiting = pool.waiting;
        one.created = server->created.load(std::memory_order_relaxed);
        one.closed = server->closed.load(std::memory_order_relaxed);
    }
    return all;
}

}  // namespace barewire::net::mongo
