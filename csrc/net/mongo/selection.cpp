// Server selection over a snapshot. No state but the random numbers.
#include "net/mongo/selection.h"

#include <algorithm>
#include <random>

#include "base/bytes.h"

namespace barewire::net::mongo {

namespace {

using Candidates = std::vector<const ServerDescription*>;

bool has_tags(const ServerDescription& server, const std::vector<std::pair<std::string, std::string>>& wanted) {
    return std::all_of(wanted.begin(), wanted.end(), [&](const auto& tag) {
        return std::find(server.tags.begin(), server.tags.end(), tag) != server.tags.end();
    });
}

// The servers of the first tag set that fits any; without tag sets all.
Candidates with_tags(const Candidates& from, const ReadPreference& preference) {
    if (preference.tag_sets.empty()) return from;
    for (const auto& tags : preference.tag_sets) {
        Candidates fitting;
        for (const ServerDescription* server : from)
            if (has_tags(*server, tags)) fitting.push_back(server);
        if (!fitting.empty()) return fitting;
    }
    return {};
}

Candidates of_type(const Snapshot& snapshot, ServerType type) {
    Candidates found;
    for (const auto& server : snapshot.servers)
        if (server->type == type) found.push_back(server.get());
    return found;
}

std::size_t random_below(std::size_t count) {
    thread_local std::minstd_rand generator(std::random_device{}());
    return std::uniform_int_distribution<std::size_t>(0, count - 1)(generator);
}

const ServerDescription* pick(Candidates candidates, Clock::duration threshold, std::string_view avoided) {
    if (candidates.size() > 1 && !avoided.empty())
        std::erase_if(candidates, [&](const ServerDescription* server) { return server->address == avoided; });
    if (candidates.empty()) return nullptr;
    if (candidates.size() == 1) return candidates.front();
    auto trip = [](const ServerDescription* server) {
        return server->round_trip_microseconds < 0 ? 0 : server->round_trip_microseconds;
    };
    std::int64_t least = trip(candidates.front());
    for (const ServerDescription* server : candidates) least = std::min(least, trip(server));
    const std::int64_t limit =
        least + std::chrono::duration_cast<std::chrono::microseconds>(threshold).count();
    std::erase_if(candidates, [&](const ServerDescription* server) { return trip(server) > limit; });
    return candidates[random_below(candidates.size())];
}

const ServerDescription* from_replica_set(const Snapshot& snapshot, const ReadPreference* preference,
                                          Clock::duration threshold, std::string_view avoided) {
    const ReadMode mode = preference ? preference->mode : ReadMode::primary;
    auto primary = [&] { return pick(of_type(snapshot, ServerType::primary), threshold, {}); };
    auto secondary = [&] {
        return pick(with_tags(of_type(snapshot, ServerType::secondary), *preference), threshold, avoided);
    };
    switch (mode) {
        case ReadMode::primary: return primary();
        case ReadMode::primary_preferred: {
            const ServerDescription* server = primary();
            return server ? server : secondary();
        }
        case ReadMode::secondary: return secondary();
        case ReadMode::secondary_preferred: {
            const ServerDescription* server = secondary();
            return server ? server : primary();
        }
        case ReadMode::nearest: {
            Candidates all = of_type(snapshot, ServerType::secondary);
            for (const ServerDescription* server : of_type(snapshot, ServerType::primary)) all.push_back(server);
            return pick(with_tags(all, *preference), threshold, avoided);
        }
    }
    return nullptr;
}

}  // namespace

const ServerDescription* select_server(const Snapshot& snapshot, const Operation& operation, Clock::duration local_threshold,
                                       std::string_view avoided) noexcept {
    try {
        if (!operation.address.empty()) {
            const ServerDescription* server = snapshot.find(operation.address);
            if (!server || server->marked) return nullptr;
            return server->type == ServerType::unknown || server->type == ServerType::possible_primary ? nullptr : server;
        }
        switch (snapshot.type) {
            case TopologyType::unknown: return nullptr;
            case TopologyType::single:
            case TopologyType::load_balanced:
                for (const auto& server : snapshot.servers)
                    if (server->type != ServerType::unknown && server->type != ServerType::possible_primary)
                        return server.get();
                return nullptr;
            case TopologyType::sharded: return pick(of_type(snapshot, ServerType::mongos), local_threshold, avoided);
            case TopologyType::no_primary:
            case TopologyType::with_primary:
                return from_replica_set(snapshot, operation.read_preference.get(), local_threshold, avoided);
        }
    } catch (const std::bad_alloc&) {
    }
    return nullptr;
}

const base::Buffer* read_preference_to_send(TopologyType type, ServerType server, const Operation& operation) noexcept {
    // Source: Server Selection, "Passing read preference to mongos and load balancers" and "Topology type: Single".
    const ReadPreference* preference = operation.read_preference.get();
    const bool primary = !preference || preference->mode == ReadMode::primary;
    if (server == ServerType::standalone) return nullptr;
    if (!primary) return &preference->document;
    if (type != TopologyType::single || server == ServerType::mongos || server == ServerType::primary) return nullptr;
    // A direct connection to a member that is not primary: it must answer all the same.
    static const base::Buffer primary_preferred = [] {
        base::Buffer document;
        static constexpr char bytes[] = "\x20\0\0\0\x02mode\0\x11\0\0\0primaryPreferred\0";
        static_assert(sizeof bytes == 0x20);  // the literal's own zero terminates the document
        (void)!document.append(bytes, sizeof bytes);
        return document;
    }();
    return &primary_preferred;
}

std::string selection_error(const Snapshot& snapshot, const Operation& operation) {
    const ReadPreference* preference = operation.read_preference.get();
    std::string text;
    for (const auto& server : snapshot.servers) {
        if (server->error.empty()) continue;
        if (text.find(server->error) != std::string::npos) continue;
        if (!text.empty()) text += ",";
        text += server->error;
    }
    if (!text.empty()) return text;
    if (snapshot.servers.empty()) return "No servers found yet";
    if (!operation.address.empty()) return "Server " + operation.address + " is not available";
    switch (snapshot.type) {
        case TopologyType::with_primary:
        case TopologyType::no_primary:
            if (!preference || preference->mode == ReadMode::primary) return "No primary available for writes";
            return "No replica set members match the read preference";
        case TopologyType::sharded: return "No mongoses available";
        default: return "No servers found yet";
    }
}

}  // namespace barewire::net::mongo
