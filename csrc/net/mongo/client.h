// The MongoDB engine of one client: topology, one pool per server, server sessions, cluster time; no Python.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "net/mongo/operation.h"

namespace barewire::net {
class Reactor;
}

namespace barewire::net::mongo {

// Everything is known before the first connection is made; nothing is opened by constructing a Client.
struct Settings {
    std::string uri;                        // for libmongoc: hosts, credentials, TLS, timeouts of handshakes
    std::string driver_name = "barewire", driver_version, platform;
    std::uint32_t max_pool_size = 100;      // per server; 0: no limit
    std::uint32_t max_connecting = 2;       // connections being made at the same time, per server
    Clock::duration local_threshold = std::chrono::milliseconds(15);
    Clock::duration max_idle_time = Clock::duration::zero();
    Clock::duration heartbeat_interval = std::chrono::seconds(10);
    bool direct = false;                    // directConnection=true: topology type Single
    bool load_balanced = false;
    bool retry_reads = true, retry_writes = true;
};

enum class ServerType : std::uint8_t {
    unknown, standalone, mongos, possible_primary, primary, secondary, arbiter, other, ghost, load_balancer
};

// One server as the monitors last saw it.
struct ServerView {
    std::string address;
    ServerType type = ServerType::unknown;
    std::int64_t round_trip_microseconds = -1;
    base::Buffer hello;                     // the last hello reply (BSON); empty when unknown
    std::string error;                      // why it is unknown
    int error_code = 0;                     // errno when the operating system said so
};
struct TopologyView {
    std::uint64_t epoch = 0;                // grows with every change
    std::string type;                       // libmongoc's name: "ReplicaSetWithPrimary", "Single", ...
    std::vector<ServerView> servers;
};

struct PoolStats {
    std::string address;
    std::uint32_t open = 0, in_use = 0, waiting = 0, created = 0, closed = 0;
};

// Thread-safe: any number of threads and reactors use one Client. Owned by shared_ptr; monitors, workers and connections
// hold their own references, so the Python object is only a handle.
class Client {
public:
    static std::shared_ptr<Client> create(Settings settings);
    virtual ~Client() = default;

    // Starts `operation` for an event loop and returns at once; never blocks, may be called with the GIL held.
    // The reactor's drain() drives it; `completed` is called there (or here, if it ends at once).
    virtual void start(Operation& operation, Reactor& reactor) noexcept = 0;

    // Runs `operation` on this thread; call it without the GIL. `interrupted` is asked at least every 0.1 s while waiting
    // and after EINTR; true ends the call with failure kind `interrupted` and drops the connection in use.
    virtual void run(Operation& operation, const std::function<bool()>& interrupted) noexcept = 0;

    // Server sessions for cursors; endSessions is sent at close.
    virtual std::unique_ptr<ServerSession> acquire_session() = 0;
    virtual void release_session(std::unique_ptr<ServerSession> session) noexcept = 0;

    // $clusterTime as a BSON document (empty: none seen); `advance` keeps the greater one.
    virtual base::Buffer cluster_time() const = 0;
    virtual void advance_cluster_time(const std::uint8_t* document, std::size_t size) noexcept = 0;

    // Opens the monitors if they are not yet; the view of what they know; waits (without the GIL) until the epoch is above
    // `seen` or the time is over. `check_now` makes the monitors look again soon.
    virtual void open_topology() noexcept = 0;
    virtual TopologyView topology() const = 0;
    virtual bool wait_topology(std::uint64_t seen, Clock::duration timeout) noexcept = 0;
    virtual void check_now() noexcept = 0;

    virtual std::vector<PoolStats> pool_stats() const = 0;

    // Ends everything: operations waiting fail with kind `closed`, idle connections are closed, sessions ended, monitors
    // and workers joined. Blocking (tenths of a second): call it without the GIL. Safe to call twice.
    virtual void close() noexcept = 0;
    // close() of many at the same time: each has to wait for its monitors. For the end of the program.
    static void close_all(const std::vector<std::shared_ptr<Client>>& clients) noexcept;
    // In a fork's child: forget sockets, threads and libmongoc objects without touching them. The handle then makes a new Client.
    virtual void abandon_after_fork() noexcept = 0;
};

}  // namespace barewire::net::mongo
