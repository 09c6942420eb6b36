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
    server_.connecting.fetch_sub(1, std::memory_order_seq_cst);
    server_.replenish();
}

void ConnectJob::give_up(const Failure& why) noexcept {
    server_.pool.discard(slot_);
    server_.connecting.fetch_sub(1, std::memory_order_seq_cst);
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

bool Server::connect_one() noexcept {
    Connection* slot = pool.reserve_for_connecting();
    if (!slot) {
        connecting.fetch_sub(1, std::memory_order_seq_cst);
        return false;
    }
    std::unique_ptr<Job> job(new (std::nothrow) ConnectJob(engine.shared_from_this(), *this, *slot));
    if (!job) {
        pool.discard(*slot);
        connecting.fetch_sub(1, std::memory_order_seq_cst);
        Failure failure;
        failure.kind = Failure::Kind::out_of_memory;
        dismiss(failure);
        return false;
    }
    ConnectJob* raw = static_cast<ConnectJob*>(job.get());
    switch (engine.workers().submit(job)) {
        case Submitted::accepted: return true;
        case Submitted::stopped: raw->abandoned(); break;
        case Submitted::no_threads: raw->refused(); break;
    }
    return false;
}

void Server::replenish() noexcept {
    const std::uint32_t limit = engine.settings().max_connecting ? engine.settings().max_connecting : 2;
    for (;;) {
        // seq_cst, partner: the end of ConnectJob::run and the announcement of waiters in the pool.
        std::uint32_t now = connecting.load(std::memory_order_seq_cst);
        if (now >= limit || now >= pool.waiting()) return;
        if (!connecting.compare_exchange_strong(now, now + 1, std::memory_order_seq_cst)) continue;
        if (!connect_one()) return;
    }
}

void Server::probe() noexcept {
    std::uint32_t none = 0;
    if (connecting.compare_exchange_strong(none, 1, std::memory_order_seq_cst)) connect_one();
}

}  // namespace barewire::net::mongo
