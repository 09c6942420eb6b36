// Watching the deployment: libmongoc's monitors in a pool without data traffic, and what our own connections add to it.
// Choosing servers and using connections may not live here.
#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "net/failure.h"
#include "net/mongo/client.h"
#include "net/mongo/connect.h"
#include "net/mongo/reply.h"
#include "net/mongo/snapshot.h"

struct _mongoc_client_pool_t;

namespace barewire::net::mongo {

class TopologyEvents;

// Thread-safe. `changed` is called after every new snapshot, on monitor threads and others, with no lock held.
class Topology {
public:
    Topology(const Settings& settings, std::function<void()> changed);
    ~Topology();
    Topology(const Topology&) = delete;
    Topology& operator=(const Topology&) = delete;

    std::shared_ptr<const Snapshot> snapshot() const noexcept;
    // Waits until the epoch is above `seen`, at most until `deadline`.
    bool wait(std::uint64_t seen, Clock::time_point deadline) noexcept;

    // Blocking (DNS): parses the URI, gives it to `connector` and starts the monitors. Kind configuration: it will never
    // work; network: it may work later. Nothing happens when it is open already.
    bool open(Connector& connector, Failure& failure) noexcept;
    bool opened() const noexcept;
    // Blocking, up to a quarter of a second: asks the monitors to look at every server now.
    void look_again() noexcept;

    // One of our connections met an error: the server counts as unknown until a monitor or a handshake has seen it.
    void mark_unknown(const std::string& address, const Failure& why) noexcept;
    // A state change error in a reply: as above, unless the server has been seen since in a newer state.
    // Returns whether it was news.
    bool mark_changed(const std::string& address, const ReplyPeek& reply) noexcept;
    // Why the monitors cannot reach a server, found out by a connection attempt of ours: libmongoc does not say.
    void explain(const std::string& address, const Failure& why) noexcept;
    // A new data connection has said hello.
    void shaken(const std::string& address, const Connected& connected) noexcept;

    // Stops the monitors (blocking, tenths of a second). Later calls do nothing.
    void close() noexcept;
    // In a fork's child.
    void abandon() noexcept { pool_ = nullptr; }

private:
    friend class TopologyEvents;
    struct Mark {
        std::int64_t time = 0;   // monotonic, microseconds
        std::string error;
        int code = 0;
    };

    static Mark worded(const std::string& address, const Failure& why);
    void publish(std::unique_lock<std::mutex> lock) noexcept;  // unlocks
    void rebuild();                                            // the mutex is held

    const Settings settings_;
    const std::function<void()> changed_;

    std::mutex open_mutex_;                    // serialises open, look_again's pool use and close
    _mongoc_client_pool_t* pool_ = nullptr;
    std::unique_ptr<TopologyEvents> events_;

    mutable std::mutex mutex_;                 // guards everything below
    std::condition_variable news_;
    std::shared_ptr<const Snapshot> snapshot_;
    std::string type_name_ = "Unknown";
    std::map<std::string, std::shared_ptr<const ServerDescription>> seen_;   // as the monitors see it
    std::map<std::string, Mark> marks_;
    std::map<std::string, Mark> errors_;               // of the last failed heartbeat; time 0: in libmongoc's words
    std::map<std::string, double> round_trips_;        // microseconds, exponentially weighted
    bool closed_ = false;
};

}  // namespace barewire::net::mongo
