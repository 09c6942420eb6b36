// libmongoc's monitoring callbacks, turned into changes of a Topology. No other state may live here.
#pragma once

struct _mongoc_client_pool_t;

namespace barewire::net::mongo {

class Topology;

// Must outlive the pool it is attached to. Its callbacks run on libmongoc's monitor threads.
class TopologyEvents {
public:
    explicit TopologyEvents(Topology& topology) noexcept : topology_(topology) {}
    void attach(_mongoc_client_pool_t* pool) noexcept;

    void server_opening(const void* event);
    void server_closed(const void* event);
    void server_changed(const void* event);
    void topology_changed(const void* event);
    void heartbeat_succeeded(const void* event);
    void heartbeat_failed(const void* event);

private:
    Topology& topology_;
};

}  // namespace barewire::net::mongo
