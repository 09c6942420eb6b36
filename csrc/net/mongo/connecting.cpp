// Starting and finishing of connections on workers. The handshake itself is in connect.cpp.
#include "net/mongo/connecting.h"

#include <new>

#include "net/mongo/engine.h"

namespace barewire::net::mongo {

ConnectJob::ConnectJob(std::shared_ptr<Engine> engine, Server& server, Connection& slot) noexcept
    : engine_(std::move(engine)), server_(server), slot_(slot) {}

void ConnectJob::run(const std::atomic<bool>& stop) noexcept {
    // Read before connecting: if the pool is cleared meanwhile, this connection is of the old generation.
    const std::uint32_t generation = server_.pool.generation();
    Connected connected;
    Failure failure;
    if (!engine_->connector().connect(server_.address, stop, connected, failure)) {
        server_.failed.store(Clock::now().time_since_epoch().count(), std::memory_order_relaxed);
        if (failure.kind == Failure::Kind::network || failure.kind == Failure::Kind::network_timeout)
            server_.distrust(generation, failure);
        give_up(failure);
        return;
    }
    engine_->monitors().shaken(server_.address, connected);
    slot_.channel = std::move(connected.channel);
    slot_.facts = std::move(connected.facts);
    slot_.server = &server_;
    slot_.generation = generation;
    slot_.created = slot_.last_use = Clock::now();
    server_.created.fetch_add(1, std::memory_order_relaxed);
    server_.release(slot_);
    // Only now: whoever came to wait before counted on this job, whoever comes after starts one.
    server_.pending.end();
    server_.replenish();
}

void ConnectJob::give_up(const Failure& why) noexcept {
    server_.pool.discard(slot_);
    server_.pending.end();
    server_.dismiss(why);
    server_.replenish();
}

void ConnectJob::abandoned() noexcept {
    Failure failure;
    failure.kind = Failure::Kind::closed;
    failure.message = "client is closed";
    give_up(failure);
}

void ConnectJob::refused() noexcept {
    Failure failure;
    failure.kind = Failure::Kind::network;
    failure.message = "no thread to connect with";
    failure.address = server_.address;
    give_up(failure);
}

void Server::connect(Connection& slot) noexcept {
    std::unique_ptr<Job> job(new (std::nothrow) ConnectJob(engine.shared_from_this(), *this, slot));
    if (!job) {
        pool.discard(slot);
        pending.end();
        Failure failure;
        failure.kind = Failure::Kind::out_of_memory;
        dismiss(failure);
        return;
    }
    ConnectJob* raw = static_cast<ConnectJob*>(job.get());
    switch (engine.workers().submit(job)) {
        case Submitted::accepted: break;
        case Submitted::stopped: raw->abandoned(); break;
        case Submitted::no_threads: raw->refused(); break;
    }
}

void Server::replenish() noexcept {
    const std::uint32_t limit = engine.settings().max_connecting ? engine.settings().max_connecting : 2;
    while (Connection* slot = pending.begin_for_waiter(pool, limit)) connect(*slot);
}

void Server::probe() noexcept {
    const Clock::time_point last(Clock::duration(failed.load(std::memory_order_relaxed)));
    if (Clock::now() - last < std::chrono::milliseconds(200)) return;
    if (Connection* slot = pending.begin_alone(pool)) connect(*slot);
    replenish();
}

}  // namespace barewire::net::mongo
