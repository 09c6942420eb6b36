// The implementation of Client: what all operations share. One operation's way lives in blocking_run and flight.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "net/mongo/client.h"
#include "net/mongo/cluster_time.h"
#include "net/mongo/connect.h"
#include "net/mongo/connection.h"
#include "net/mongo/exchange.h"
#include "net/mongo/parked.h"
#include "net/mongo/session.h"
#include "net/mongo/topology.h"
#include "net/workers.h"

namespace barewire::net::mongo {

class Engine final : public Client, public std::enable_shared_from_this<Engine> {
public:
    explicit Engine(Settings settings);
    ~Engine() override;

    // --- Client ---
    void start(Operation& operation, Reactor& reactor) noexcept override;
    void run(Operation& operation, const std::function<bool()>& interrupted) noexcept override;
    std::unique_ptr<ServerSession> acquire_session() override;
    void release_session(std::unique_ptr<ServerSession> session) noexcept override;
    base::Buffer cluster_time() const override;
    void advance_cluster_time(const std::uint8_t* document, std::size_t size) noexcept override;
    void open_topology() noexcept override;
    TopologyView topology() const override;
    bool wait_topology(std::uint64_t seen, Clock::duration timeout) noexcept override;
    void check_now() noexcept override;
    std::vector<PoolStats> pool_stats() const override;
    void close() noexcept override;
    void abandon_after_fork() noexcept override;

    // --- for the other files of the engine ---
    const Settings& settings() const noexcept { return settings_; }
    Topology& monitors() noexcept { return topology_; }
    Connector& connector() noexcept { return connector_; }
    Workers& workers() noexcept { return workers_; }
    bool closed() const noexcept { return closed_.load(std::memory_order_acquire); }
    bool copy_cluster_time(base::Buffer& to) const noexcept { return cluster_time_.copy(to); }

    // A server to send to now, or nullptr.
    Server* choose(const Exchange& exchange, const Operation& operation) noexcept;
    // Parks `parked` until the deployment changes. False: it is not parked and wake() will not be called, because there is
    // a server by now, or (nullptr) because there will never be one.
    bool park(Parked& parked, const Exchange& exchange, const Operation& operation, Server*& server) noexcept;
    bool unpark(Parked& parked) noexcept { return parked_.remove(parked); }
    // The error of an operation that found no server in time, or never will.
    Failure no_server(const Operation& operation) noexcept;
    // Keeps asking the monitors, and opens them first, as long as somebody is parked.
    void look_for_servers() noexcept;

    // The URI cannot be used: nobody needs to wait.
    bool broken_for_ever() noexcept;
    // The worker's side of the above.
    void search(const std::atomic<bool>& stop) noexcept;

private:
    void deployment_changed() noexcept;
    Server* server_of(const ServerDescription& description, TopologyType type) noexcept;
    void send_end_sessions() noexcept;
    // Servers that only our own connections gave up: the next connection may show that they are there.
    void probe_marked() noexcept;
    // Finds out why the monitors cannot reach a server.
    void explain_unknown(const std::atomic<bool>& stop) noexcept;

    const Settings settings_;
    Topology topology_;
    Connector connector_;
    ClusterTime cluster_time_;
    SessionPool sessions_;
    ParkedList parked_;
    std::atomic<bool> closed_{false};
    std::atomic<bool> forked_{false};
    std::atomic<bool> searching_{false};
    std::atomic<std::int32_t> session_timeout_minutes_{0};
    // The server of operations without read preference, while the deployment has exactly one for them.
    std::atomic<Server*> usual_server_{nullptr};

    mutable std::mutex mutex_;                                   // guards the two below
    std::map<std::string, std::unique_ptr<Server>, std::less<>> servers_;   // never shrinks
    Failure broken_;                                             // why the monitors could not be opened

    std::mutex change_mutex_;   // orders deployment_changed()
    std::mutex close_mutex_;
    Workers workers_;   // last: stopped first
};

}  // namespace barewire::net::mongo
