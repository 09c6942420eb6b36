// Finding a server for an operation, and searching while none is known. Connections live in connection.cpp.
#include <unistd.h>

#include <new>
#include <thread>
#include <utility>

#include "net/mongo/engine.h"
#include "net/mongo/library.h"
#include "net/mongo/selection.h"
#include "net/mongo/stream.h"

namespace barewire::net::mongo {

namespace {

class SearchJob final : public Job {
public:
    explicit SearchJob(std::shared_ptr<Engine> engine) noexcept : engine_(std::move(engine)) {}
    void run(const std::atomic<bool>& stop) noexcept override { engine_->search(stop); }
    void abandoned() noexcept override {}

private:
    std::shared_ptr<Engine> engine_;
};

}  // namespace

Server* Engine::server_of(const ServerDescription& description, TopologyType type) noexcept {
    std::lock_guard guard(mutex_);
    auto found = servers_.find(description.address);
    if (found == servers_.end()) {
        const std::uint32_t size =
            settings_.max_pool_size == 0 ? ConnectionPool::largest_size : settings_.max_pool_size;
        try {
            found = servers_.emplace(description.address, std::make_unique<Server>(*this, description.address, size)).first;
        } catch (const std::bad_alloc&) {
            return nullptr;
        }
    }
    found->second->server_type.store(static_cast<std::uint8_t>(description.type), std::memory_order_relaxed);
    found->second->topology_type.store(static_cast<std::uint8_t>(type), std::memory_order_relaxed);
    return found->second.get();
}

Server* Engine::choose(const Exchange& exchange, const Operation& operation) noexcept {
    if (operation.address.empty() && (!operation.read_preference || operation.read_preference->mode == ReadMode::primary)) {
        // acquire, partner: deployment_changed().
        if (Server* usual = usual_server_.load(std::memory_order_acquire)) return usual;
    }
    const std::shared_ptr<const Snapshot> snapshot = topology_.snapshot();
    const ServerDescription* chosen =
        select_server(*snapshot, operation, settings_.local_threshold, exchange.avoided());
    return chosen ? server_of(*chosen, snapshot->type) : nullptr;
}

bool Engine::park(Parked& parked, const Exchange& exchange, const Operation& operation, Server*& server) noexcept {
    const std::shared_ptr<Engine> alive = shared_from_this();
    parked_.add(parked);
    // Looked at after parking: a change before it is seen here, a change after it wakes.
    server = choose(exchange, operation);
    if (server || closed() || broken_for_ever()) {
        if (parked_.remove(parked)) return false;
        server = nullptr;  // woken meanwhile: whoever runs then looks for itself, perhaps already
        return true;
    }
    // A search under way may be waiting for monitors; what only we gave up is tried at once.
    alive->probe_marked();
    alive->look_for_servers();
    return true;
}

void Engine::deployment_changed() noexcept {
    {
        // The snapshot is taken under the mutex: of two changes at once, the one that stores last has the newer one.
        std::lock_guard guard(change_mutex_);
        const std::shared_ptr<const Snapshot> snapshot = topology_.snapshot();
        Server* usual = nullptr;
        if (!closed() && snapshot->type != TopologyType::sharded) {
            const ServerDescription* only = nullptr;
            for (const auto& server : snapshot->servers) {
                const bool fits =
                    snapshot->type == TopologyType::with_primary || snapshot->type == TopologyType::no_primary
                        ? server->type == ServerType::primary
                        : snapshot->type != TopologyType::unknown && server->type != ServerType::unknown &&
                              server->type != ServerType::possible_primary;
                if (fits) only = server.get();
            }
            if (only) usual = server_of(*only, snapshot->type);
        }
        session_timeout_minutes_.store(snapshot->session_timeout_minutes, std::memory_order_relaxed);
        // release, partner: choose().
        usual_server_.store(usual, std::memory_order_release);
    }
    parked_.wake_all();
}

Failure Engine::no_server(const Operation& operation) noexcept {
    Failure failure;
    if (closed()) {
        failure.kind = Failure::Kind::closed;
        failure.message = "client is closed";
        return failure;
    }
    {
        std::lock_guard guard(mutex_);
        if (broken_) {
            failure = broken_;
            if (failure.kind == Failure::Kind::network) failure.kind = Failure::Kind::server_selection;
            return failure;
        }
    }
    failure.kind = Failure::Kind::server_selection;
    try {
        failure.message = selection_error(*topology_.snapshot(), operation);
    } catch (const std::bad_alloc&) {
        failure.message = "out of memory";
    }
    return failure;
}

void Engine::look_for_servers() noexcept {
    // seq_cst, partner: the end of search().
    if (searching_.exchange(true, std::memory_order_seq_cst)) return;
    std::unique_ptr<Job> job(new (std::nothrow) SearchJob(shared_from_this()));
    if (!job || workers_.submit(job) != Submitted::accepted) searching_.store(false, std::memory_order_seq_cst);
}

void Engine::search(const std::atomic<bool>& stop) noexcept {
    const auto ended = [&] { return stop.load(std::memory_order_relaxed) || closed(); };
    do {
        // At least one round: check_now() and open_topology() come without anybody parked.
        do {
            Failure failure;
            start_library(settings_);
            const bool known = topology_.opened();
            if (topology_.open(connector_, failure)) {
                // New monitors look at once by themselves.
                for (int slice = 0; !known && slice < 25 && !parked_.empty() && !ended(); ++slice)
                    topology_.wait(topology_.snapshot()->epoch, Clock::now() + std::chrono::milliseconds(10));
                if (!known && parked_.empty()) break;
                probe_marked();
                explain_unknown(stop);
                topology_.look_again();
                continue;
            }
            {
                std::lock_guard guard(mutex_);
                broken_ = failure;
            }
            if (failure.kind != Failure::Kind::network) {
                // The URI will never work: everybody is told at once.
                parked_.wake_all();
                break;
            }
            // The name service may answer next time.
            for (int slice = 0; slice < 5 && !ended(); ++slice) std::this_thread::sleep_for(std::chrono::milliseconds(100));
        } while (!parked_.empty() && !ended());
        // seq_cst, partner: look_for_servers(). Somebody may have parked after the last look and found the flag set.
        searching_.store(false, std::memory_order_seq_cst);
    } while (!parked_.empty() && !ended() && !broken_for_ever() && !searching_.exchange(true, std::memory_order_seq_cst));
}

void Engine::probe_marked() noexcept {
    const std::shared_ptr<const Snapshot> snapshot = topology_.snapshot();
    for (const auto& server : snapshot->servers) {
        if (!server->marked) continue;
        if (Server* known = server_of(*server, snapshot->type)) known->probe();
    }
}

void Engine::explain_unknown(const std::atomic<bool>& stop) noexcept {
    const std::shared_ptr<const Snapshot> snapshot = topology_.snapshot();
    for (const auto& server : snapshot->servers) {
        if (!server->marked && server->type == ServerType::unknown && !server->error.empty() && server->error_code == 0) {
            Failure why;
            const int descriptor =
                open_socket(parse_endpoint(server->address), Clock::now() + std::chrono::seconds(1), stop, why);
            if (descriptor >= 0) ::close(descriptor);
            else if (why.kind == Failure::Kind::network) topology_.explain(server->address, why);
        }
    }
}

bool Engine::broken_for_ever() noexcept {
    std::lock_guard guard(mutex_);
    return broken_ && broken_.kind != Failure::Kind::network;
}

}  // namespace barewire::net::mongo
