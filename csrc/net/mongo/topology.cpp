// The snapshot of the deployment and its changes. libmongoc's callbacks are turned into these calls in topology_events.
#include "net/mongo/topology.h"

#include <mongoc/mongoc.h>

#include <cstring>
#include <utility>

#include "net/mongo/document_view.h"
#include "net/mongo/topology_events.h"

namespace barewire::net::mongo {

namespace {

TopologyType type_of(std::string_view name) noexcept {
    if (name == "Single") return TopologyType::single;
    if (name == "ReplicaSetNoPrimary") return TopologyType::no_primary;
    if (name == "ReplicaSetWithPrimary") return TopologyType::with_primary;
    if (name == "Sharded") return TopologyType::sharded;
    if (name == "LoadBalanced") return TopologyType::load_balanced;
    return TopologyType::unknown;
}

}  // namespace

Topology::Topology(const Settings& settings, std::function<void()> changed)
    : settings_(settings), changed_(std::move(changed)), snapshot_(std::make_shared<Snapshot>()) {}

Topology::~Topology() { close(); }

std::shared_ptr<const Snapshot> Topology::snapshot() const noexcept {
    std::lock_guard guard(mutex_);
    return snapshot_;
}

bool Topology::wait(std::uint64_t seen, Clock::time_point deadline) noexcept {
    std::unique_lock lock(mutex_);
    return news_.wait_until(lock, deadline, [&] { return snapshot_->epoch > seen || closed_; }) &&
           snapshot_->epoch > seen;
}

bool Topology::opened() const noexcept {
    std::lock_guard guard(mutex_);
    return events_ != nullptr;
}

bool Topology::open(Connector& connector, Failure& failure) noexcept {
    std::lock_guard opening(open_mutex_);
    {
        std::lock_guard guard(mutex_);
        if (closed_ || events_) return !closed_;
    }
    try {
        auto fail = [&](Failure::Kind kind, const char* text) {
            failure.kind = kind;
            failure.message = text;
            return false;
        };
        bson_error_t error{};
        std::unique_ptr<mongoc_uri_t, void (*)(mongoc_uri_t*)> uri(
            mongoc_uri_new_with_error(settings_.uri.c_str(), &error), mongoc_uri_destroy);
        if (!uri) return fail(Failure::Kind::configuration, error.message);
        const bool by_dns = settings_.uri.starts_with("mongodb+srv:");
        // Only look_again() selects servers through this pool; it must come back soon.
        mongoc_uri_set_option_as_int32(uri.get(), MONGOC_URI_SERVERSELECTIONTIMEOUTMS, 250);
        mongoc_client_pool_t* pool = mongoc_client_pool_new_with_error(uri.get(), &error);
        if (!pool) return fail(by_dns ? Failure::Kind::network : Failure::Kind::configuration, error.message);
        auto events = std::make_unique<TopologyEvents>(*this);
        mongoc_client_pool_set_error_api(pool, 2);
        events->attach(pool);
        {
            std::lock_guard guard(mutex_);
            events_ = std::move(events);
        }
        pool_ = pool;
        // The first pop starts the monitors. Its URI knows what the TXT record says.
        if (mongoc_client_t* client = mongoc_client_pool_pop(pool)) {
            connector.set_uri(mongoc_client_get_uri(client));
            mongoc_client_pool_push(pool, client);
        }
        return true;
    } catch (const std::bad_alloc&) {
        failure.kind = Failure::Kind::out_of_memory;
        return false;
    }
}

void Topology::look_again() noexcept {
    std::lock_guard opening(open_mutex_);
    if (!pool_) return;
    mongoc_client_t* client = mongoc_client_pool_try_pop(pool_);
    if (!client) return;
    // No server carries this tag, so the choice fails, and while it waits libmongoc has every server looked at.
    mongoc_read_prefs_t* nobody = mongoc_read_prefs_new(MONGOC_READ_SECONDARY);
    bson_t tag = BSON_INITIALIZER;
    BSON_APPEND_UTF8(&tag, "barewire", "look again");
    mongoc_read_prefs_add_tag(nobody, &tag);
    bson_error_t error;
    if (mongoc_server_description_t* found = mongoc_client_select_server(client, false, nobody, &error))
        mongoc_server_description_destroy(found);
    bson_destroy(&tag);
    mongoc_read_prefs_destroy(nobody);
    mongoc_client_pool_push(pool_, client);
}

Topology::Mark Topology::worded(const std::string& address, const Failure& why) {
    Mark mark;
    mark.time = bson_get_monotonic_time();
    mark.code = why.code;
    const bool number = why.code != 0 && why.kind != Failure::Kind::network_timeout;
    mark.error = address + ": " + (number ? "[Errno " + std::to_string(why.code) + "] " : "") + why.message;
    return mark;
}

void Topology::explain(const std::string& address, const Failure& why) noexcept {
    std::unique_lock lock(mutex_);
    try {
        const auto known = errors_.find(address);
        if (known == errors_.end()) return;
        Mark mark = worded(address, why);
        std::swap(known->second, mark);
        if (known->second.error == mark.error) return;
    } catch (const std::bad_alloc&) {
        return;
    }
    publish(std::move(lock));
}

void Topology::mark_unknown(const std::string& address, const Failure& why) noexcept {
    std::unique_lock lock(mutex_);
    try {
        marks_[address] = worded(address, why);
    } catch (const std::bad_alloc&) {
        return;
    }
    publish(std::move(lock));
}

bool Topology::mark_changed(const std::string& address, const ReplyPeek& reply) noexcept {
    std::unique_lock lock(mutex_);
    const auto known = seen_.find(address);
    if (known == seen_.end()) return false;
    // An error from before the state that is known already says nothing new.
    // Source: SDAM, "topologyVersion" and "stale errors".
    const ServerDescription& description = *known->second;
    if (reply.topology_process && description.topology_counter >= 0 &&
        std::memcmp(reply.topology_process, description.topology_process, 12) == 0 &&
        reply.topology_counter <= description.topology_counter)
        return false;
    try {
        Mark& mark = marks_[address];
        mark.time = bson_get_monotonic_time();
        mark.code = 0;
        const std::string_view text = reply.message.empty() ? reply.write_concern_message : reply.message;
        mark.error = address + ": " + std::string(text);
    } catch (const std::bad_alloc&) {
        return true;
    }
    publish(std::move(lock));
    return true;
}

void Topology::shaken(const std::string& address, const Connected& connected) noexcept {
    std::unique_lock lock(mutex_);
    try {
        const auto mark = marks_.find(address);
        const auto known = seen_.find(address);
        if (mark == marks_.end() || known == seen_.end()) return;
        marks_.erase(mark);
        auto description = std::make_shared<ServerDescription>();
        description->address = address;
        description->type = type_of_hello(connected.hello.data(), connected.hello.size());
        if (known->second->type == ServerType::load_balancer) description->type = ServerType::load_balancer;
        if (!describe(*description, connected.hello.data(), connected.hello.size())) return;
        known->second = std::move(description);
    } catch (const std::bad_alloc&) {
        return;
    }
    publish(std::move(lock));
}

void Topology::publish(std::unique_lock<std::mutex> lock) noexcept {
    try {
        rebuild();
    } catch (const std::bad_alloc&) {
        return;
    }
    news_.notify_all();
    lock.unlock();
    changed_();
}

void Topology::rebuild() {
    auto next = std::make_shared<Snapshot>();
    next->epoch = snapshot_->epoch + 1;
    next->type = type_of(type_name_);
    next->type_name = type_name_;
    for (const auto& [address, seen] : seen_) {
        auto description = std::make_shared<ServerDescription>();
        description->address = address;
        const auto mark = marks_.find(address);
        if (mark != marks_.end()) {
            description->marked = true;
            description->error = mark->second.error;
            description->error_code = mark->second.code;
        } else if (seen->type == ServerType::unknown) {
            if (const auto error = errors_.find(address); error != errors_.end()) {
                description->error = error->second.error;
                description->error_code = error->second.code;
            }
        } else {
            description->type = seen->type;
            if (!describe(*description, seen->hello.data(), seen->hello.size()) && !seen->hello.empty())
                throw std::bad_alloc();
        }
        if (const auto trip = round_trips_.find(address); trip != round_trips_.end())
            description->round_trip_microseconds = static_cast<std::int64_t>(trip->second);
        if (description->data_bearing()) {
            const std::int32_t minutes = description->session_timeout_minutes;
            if (minutes > 0 && (next->session_timeout_minutes == 0 || minutes < next->session_timeout_minutes))
                next->session_timeout_minutes = minutes;
        }
        next->servers.push_back(std::move(description));
    }
    snapshot_ = std::move(next);
}

void Topology::close() noexcept {
    {
        std::lock_guard guard(mutex_);
        closed_ = true;
        news_.notify_all();
    }
    std::lock_guard opening(open_mutex_);
    // Monitors call back until they are joined here, so `events_` stays until then.
    if (pool_) mongoc_client_pool_destroy(std::exchange(pool_, nullptr));
}

}  // namespace barewire::net::mongo
