// Callbacks of libmongoc's monitors. They only copy: libmongoc may hold its own locks around them.
#include "net/mongo/topology_events.h"

#include <mongoc/mongoc.h>

#include <cstring>
#include <memory>
#include <new>
#include <utility>

#include "net/mongo/topology.h"

namespace barewire::net::mongo {

namespace {

// Nothing may be thrown through libmongoc; without memory the event is lost and the next one repeats it.
template <class Event, void (TopologyEvents::*Handler)(const void*), void* (*Context)(const Event*)>
void call(const Event* event) {
    try {
        (static_cast<TopologyEvents*>(Context(event))->*Handler)(event);
    } catch (const std::bad_alloc&) {
    }
}

}  // namespace

void TopologyEvents::attach(_mongoc_client_pool_t* pool) noexcept {
    mongoc_apm_callbacks_t* callbacks = mongoc_apm_callbacks_new();
    mongoc_apm_set_server_opening_cb(callbacks, call<mongoc_apm_server_opening_t, &TopologyEvents::server_opening,
                                                     mongoc_apm_server_opening_get_context>);
    mongoc_apm_set_server_closed_cb(callbacks, call<mongoc_apm_server_closed_t, &TopologyEvents::server_closed,
                                                    mongoc_apm_server_closed_get_context>);
    mongoc_apm_set_server_changed_cb(callbacks, call<mongoc_apm_server_changed_t, &TopologyEvents::server_changed,
                                                     mongoc_apm_server_changed_get_context>);
    mongoc_apm_set_topology_changed_cb(
        callbacks, call<mongoc_apm_topology_changed_t, &TopologyEvents::topology_changed,
                        mongoc_apm_topology_changed_get_context>);
    mongoc_apm_set_server_heartbeat_succeeded_cb(
        callbacks, call<mongoc_apm_server_heartbeat_succeeded_t, &TopologyEvents::heartbeat_succeeded,
                        mongoc_apm_server_heartbeat_succeeded_get_context>);
    mongoc_apm_set_server_heartbeat_failed_cb(
        callbacks, call<mongoc_apm_server_heartbeat_failed_t, &TopologyEvents::heartbeat_failed,
                        mongoc_apm_server_heartbeat_failed_get_context>);
    mongoc_client_pool_set_apm_callbacks(pool, callbacks, this);
    mongoc_apm_callbacks_destroy(callbacks);
}

// libmongoc tells of a topology's members one by one and lists only the known ones in a whole description.
void TopologyEvents::server_opening(const void* event) {
    const auto* opening = static_cast<const mongoc_apm_server_opening_t*>(event);
    auto description = std::make_shared<ServerDescription>();
    description->address = mongoc_apm_server_opening_get_host(opening)->host_and_port;
    std::lock_guard guard(topology_.mutex_);
    topology_.seen_.try_emplace(description->address, description);
}

void TopologyEvents::server_closed(const void* event) {
    const auto* closed = static_cast<const mongoc_apm_server_closed_t*>(event);
    const std::string address = mongoc_apm_server_closed_get_host(closed)->host_and_port;
    std::unique_lock lock(topology_.mutex_);
    topology_.seen_.erase(address);
    topology_.marks_.erase(address);
    topology_.errors_.erase(address);
    topology_.round_trips_.erase(address);
    topology_.publish(std::move(lock));
}

void TopologyEvents::server_changed(const void* event) {
    const auto* changed = static_cast<const mongoc_apm_server_changed_t*>(event);
    const mongoc_server_description_t* server = mongoc_apm_server_changed_get_new_description(changed);
    auto description = std::make_shared<ServerDescription>();
    description->address = mongoc_apm_server_changed_get_host(changed)->host_and_port;
    description->type = type_of_name(mongoc_server_description_type(server));
    const bson_t* hello = mongoc_server_description_hello_response(server);
    if (hello && hello->len > 5 && !describe(*description, bson_get_data(hello), hello->len))
        description->type = ServerType::unknown;
    std::lock_guard guard(topology_.mutex_);
    const auto mark = topology_.marks_.find(description->address);
    if (mark != topology_.marks_.end() && mongoc_server_description_last_update_time(server) > mark->second.time)
        topology_.marks_.erase(mark);
    topology_.seen_[description->address] = std::move(description);
}

// Comes after every change of a server too, so this is where the new state is published.
void TopologyEvents::topology_changed(const void* event) {
    const auto* changed = static_cast<const mongoc_apm_topology_changed_t*>(event);
    std::unique_lock lock(topology_.mutex_);
    topology_.type_name_ = mongoc_topology_description_type(mongoc_apm_topology_changed_get_new_description(changed));
    topology_.publish(std::move(lock));
}

void TopologyEvents::heartbeat_succeeded(const void* event) {
    const auto* heartbeat = static_cast<const mongoc_apm_server_heartbeat_succeeded_t*>(event);
    const std::string address = mongoc_apm_server_heartbeat_succeeded_get_host(heartbeat)->host_and_port;
    std::unique_lock lock(topology_.mutex_);
    topology_.errors_.erase(address);
    if (!mongoc_apm_server_heartbeat_succeeded_get_awaited(heartbeat)) {
        // Source: Server Selection, "Average round trip times (RTT)".
        const auto trip = static_cast<double>(mongoc_apm_server_heartbeat_succeeded_get_duration(heartbeat));
        const auto [known, fresh] = topology_.round_trips_.try_emplace(address, trip);
        if (!fresh) known->second = 0.2 * trip + 0.8 * known->second;
    }
    // A server that one of our connections gave up is seen again by its monitor.
    const auto mark = topology_.marks_.find(address);
    const auto known = topology_.seen_.find(address);
    if (mark == topology_.marks_.end() || known == topology_.seen_.end()) return;
    const bson_t* hello = mongoc_apm_server_heartbeat_succeeded_get_reply(heartbeat);
    const std::uint8_t* data = bson_get_data(hello);
    auto description = std::make_shared<ServerDescription>();
    description->address = address;
    if (!describe(*description, data, hello->len)) return;
    description->type = type_of_hello(data, hello->len);
    known->second = std::move(description);
    topology_.marks_.erase(mark);
    topology_.publish(std::move(lock));
}

void TopologyEvents::heartbeat_failed(const void* event) {
    const auto* heartbeat = static_cast<const mongoc_apm_server_heartbeat_failed_t*>(event);
    const std::string address = mongoc_apm_server_heartbeat_failed_get_host(heartbeat)->host_and_port;
    bson_error_t error{};
    mongoc_apm_server_heartbeat_failed_get_error(heartbeat, &error);
    std::unique_lock lock(topology_.mutex_);
    const auto seen = topology_.seen_.find(address);
    const bool unknown = seen == topology_.seen_.end() || seen->second->type == ServerType::unknown;
    Topology::Mark& known = topology_.errors_[address];
    // What a connection attempt of ours has found out says more than "Failed to connect to target host".
    if (known.time != 0 && std::strstr(error.message, "Failed to connect")) return;
    std::string text = address + ": " + error.message;
    if (known.error == text) return;
    known = {};
    known.error = std::move(text);
    // The change of the server's type follows as an event of its own; only the text is news here.
    if (unknown) topology_.publish(std::move(lock));
}

}  // namespace barewire::net::mongo
