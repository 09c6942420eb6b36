// The end of a client, and its forgetting in a fork's child. Nothing else.
#include <algorithm>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "base/bytes.h"
#include "net/blocking.h"
#include "net/mongo/engine.h"

namespace barewire::net::mongo {

namespace {

constexpr std::size_t sessions_per_command = 10000;

// {endSessions: [{id: <UUID>}, ...]} for some sessions; true when complete.
bool build_end_sessions(base::Buffer& body, const std::vector<std::unique_ptr<ServerSession>>& sessions, std::size_t from,
                        std::size_t to) noexcept {
    body.clear();
    if (!body.reserve(Operation::header_size)) return false;
    body.advance(Operation::header_size);
    if (!body.append("\x04" "endSessions", 13)) return false;
    const std::size_t start = body.size();
    if (!body.append_little<std::int32_t>(0)) return false;
    for (std::size_t i = from; i < to; ++i) {
        const std::string index = std::to_string(i - from);
        if (!body.append("\x03", 1) || !body.append(index.c_str(), index.size() + 1) ||
            !body.append("\x1e\0\0\0\x05id\0\x10\0\0\0\x04", 13) || !body.append(sessions[i]->id, 16) ||
            !body.append("", 1))
            return false;
    }
    if (!body.append("", 1)) return false;
    base::store_little<std::int32_t>(body.data() + start, static_cast<std::int32_t>(body.size() - start));
    return true;
}

}  // namespace

// Best effort, with connections that are idle now: closing waits for nothing. Source: Driver Sessions, "endSessions".
void Engine::send_end_sessions() noexcept {
    const std::vector<std::unique_ptr<ServerSession>> sessions = sessions_.take_all();
    if (sessions.empty()) return;
    Connection* connection = nullptr;
    {
        std::lock_guard guard(mutex_);
        for (const auto& [address, server] : servers_) {
            const auto type = static_cast<ServerType>(server->server_type.load(std::memory_order_relaxed));
            if (type == ServerType::unknown) continue;
            connection = server->pool.try_acquire();
            if (connection) break;
        }
    }
    if (!connection) return;
    Reactor::detach(*connection);
    const Clock::time_point deadline = Clock::now() + std::chrono::milliseconds(300);
    const auto in_time = [&] { return Clock::now() < deadline; };
    bool healthy = connection->fit(Clock::now(), Clock::duration::zero());
    for (std::size_t from = 0; healthy && from < sessions.size() && in_time(); from += sessions_per_command) {
        class Plain final : public Operation {} operation;
        operation.database = "admin";
        operation.session_use = SessionUse::none;
        const std::size_t to = std::min(from + sessions_per_command, sessions.size());
        if (!build_end_sessions(operation.body, sessions, from, to)) break;
        Exchange exchange(*this, operation);
        Failure failure;
        if (!exchange.prepare(*connection)) break;
        healthy = false;
        Step step;
        while ((step = exchange.send(false, failure)) == Step::again && in_time()) {
        }
        if (step != Step::done) break;
        while ((step = exchange.receive(false, failure)) == Step::again && in_time()) {
        }
        healthy = step == Step::done;
    }
    connection->close();
    connection->server->pool.discard(*connection);
}

void Engine::close() noexcept {
    if (forked_.load(std::memory_order_relaxed)) return;
    std::lock_guard closing(close_mutex_);
    if (closed_.load(std::memory_order_relaxed)) return;
    send_end_sessions();
    closed_.store(true, std::memory_order_release);
    usual_server_.store(nullptr, std::memory_order_release);
    parked_.wake_all();
    workers_.stop();
    topology_.close();
    Failure failure;
    failure.kind = Failure::Kind::closed;
    failure.message = "client is closed";
    std::lock_guard guard(mutex_);
    for (const auto& [address, server] : servers_)
        server->pool.close([&](ConnectionPool::Waiter& waiter) { static_cast<ConnectionWaiter&>(waiter).dismissed(failure); });
}

void Client::close_all(const std::vector<std::shared_ptr<Client>>& clients) noexcept {
    std::vector<std::thread> threads;
    for (const std::shared_ptr<Client>& client : clients) {
        try {
            threads.emplace_back([&client] { client->close(); });
        } catch (...) {
            client->close();  // no thread, or no memory
        }
    }
    for (std::thread& thread : threads) thread.join();
}

void Engine::abandon_after_fork() noexcept {
    // Other threads' locks and libmongoc's state may be in any condition here: nothing is waited for, and a reference that
    // nobody gives back keeps destructors from running.
    (void)new std::shared_ptr<Engine>(shared_from_this());
    forked_.store(true, std::memory_order_relaxed);
    closed_.store(true, std::memory_order_relaxed);
    usual_server_.store(nullptr, std::memory_order_relaxed);
    workers_.abandon_after_fork();
    topology_.abandon();
    // The child's copies of idle sockets: as long as they are open, the server does not see the parent close its own.
    // Connections in use may be half changed by threads that do not exist here; they stay as they are.
    std::unique_lock lock(mutex_, std::try_to_lock);
    if (!lock) return;
    for (const auto& [address, server] : servers_) {
        server->pool.for_each_slot([](Connection& connection, pool::SlotState state) {
            if (state == pool::SlotState::idle) connection.channel.abandon();
        });
    }
}

void Engine::open_topology() noexcept { look_for_servers(); }

void Engine::check_now() noexcept { look_for_servers(); }

}  // namespace barewire::net::mongo
