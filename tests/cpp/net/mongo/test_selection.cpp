// Server choice over made-up snapshots.
#include "net/mongo/selection.h"

#include <set>

#include "net/mongo/live.h"

using namespace barewire::test;

namespace {

std::shared_ptr<ServerDescription> server(const char* address, ServerType type, std::int64_t microseconds,
                                          std::vector<std::pair<std::string, std::string>> tags = {}) {
    auto description = std::make_shared<ServerDescription>();
    description->address = address;
    description->type = type;
    description->round_trip_microseconds = microseconds;
    description->tags = std::move(tags);
    return description;
}

Snapshot replica_set() {
    Snapshot snapshot;
    snapshot.type = TopologyType::with_primary;
    snapshot.servers = {server("p:1", ServerType::primary, 1000, {{"dc", "east"}}),
                        server("s:1", ServerType::secondary, 2000, {{"dc", "west"}}),
                        server("s:2", ServerType::secondary, 90000, {{"dc", "west"}, {"disk", "ssd"}}),
                        server("a:1", ServerType::arbiter, 10), server("u:1", ServerType::unknown, -1)};
    return snapshot;
}

std::set<std::string> chosen(const Snapshot& snapshot, const Operation& operation, std::string_view avoided = {}) {
    std::set<std::string> all;
    for (int i = 0; i < 200; ++i) {
        const auto* one = select_server(snapshot, operation, std::chrono::milliseconds(15), avoided);
        all.insert(one ? one->address : "none");
    }
    return all;
}

using Set = std::set<std::string>;

}  // namespace

TEST_CASE("modes, tags and the latency window of a replica set") {
    const Snapshot snapshot = replica_set();
    Command operation("");
    REQUIRE(chosen(snapshot, operation) == Set{"p:1"});
    auto prefer = [&](ReadMode mode, std::vector<std::vector<std::pair<std::string, std::string>>> tags = {}) {
        auto preference = std::make_shared<ReadPreference>();
        preference->mode = mode;
        preference->tag_sets = std::move(tags);
        operation.read_preference = preference;
    };
    prefer(ReadMode::secondary);
    REQUIRE(chosen(snapshot, operation) == Set{"s:1"});   // s:2 is 88 ms further away
    prefer(ReadMode::nearest);
    REQUIRE(chosen(snapshot, operation) == Set{"p:1", "s:1"});
    REQUIRE(chosen(snapshot, operation, "p:1") == Set{"s:1"});
    prefer(ReadMode::secondary, {{{"disk", "ssd"}}});
    REQUIRE(chosen(snapshot, operation) == Set{"s:2"});
    prefer(ReadMode::secondary, {{{"dc", "mars"}}});
    REQUIRE(chosen(snapshot, operation) == Set{"none"});
    prefer(ReadMode::secondary, {{{"dc", "mars"}}, {}});
    REQUIRE(chosen(snapshot, operation) == Set{"s:1"});
    prefer(ReadMode::secondary_preferred, {{{"dc", "mars"}}});
    REQUIRE(chosen(snapshot, operation) == Set{"p:1"});
    prefer(ReadMode::primary_preferred);
    REQUIRE(chosen(snapshot, operation) == Set{"p:1"});
    Snapshot headless = replica_set();
    headless.servers.erase(headless.servers.begin());
    REQUIRE(chosen(headless, operation) == Set{"s:1"});
    operation.read_preference = nullptr;
    REQUIRE(chosen(headless, operation) == Set{"none"});
    REQUIRE(selection_error(headless, operation) == "No primary available for writes");
    operation.address = "s:2";
    REQUIRE(chosen(headless, operation) == Set{"s:2"});
    operation.address = "u:1";
    REQUIRE(chosen(headless, operation) == Set{"none"});
}

TEST_CASE("mongos, single servers and unknown deployments") {
    Command operation("");
    Snapshot sharded;
    sharded.type = TopologyType::sharded;
    sharded.servers = {server("m:1", ServerType::mongos, 100), server("m:2", ServerType::mongos, 200),
                       server("m:3", ServerType::mongos, 90000)};
    REQUIRE(chosen(sharded, operation) == Set{"m:1", "m:2"});
    REQUIRE(chosen(sharded, operation, "m:1") == Set{"m:2"});
    Snapshot single;
    single.type = TopologyType::single;
    single.servers = {server("s:1", ServerType::secondary, 100)};
    REQUIRE(chosen(single, operation) == Set{"s:1"});
    REQUIRE(chosen(Snapshot{}, operation) == Set{"none"});
}

TEST_CASE("$readPreference goes where the specification wants it") {
    Command operation("");
    const auto* direct = read_preference_to_send(TopologyType::single, ServerType::secondary, operation);
    REQUIRE(direct);
    REQUIRE(DocumentView(direct->data(), direct->size()).find("mode").text() == "primaryPreferred");
    REQUIRE_FALSE(read_preference_to_send(TopologyType::single, ServerType::standalone, operation));
    REQUIRE_FALSE(read_preference_to_send(TopologyType::single, ServerType::primary, operation));
    REQUIRE_FALSE(read_preference_to_send(TopologyType::with_primary, ServerType::primary, operation));
    auto preference = std::make_shared<ReadPreference>();
    preference->mode = ReadMode::secondary;
    preference->document = document_of(Command("").text("mode", "secondary"));
    operation.read_preference = preference;
    REQUIRE(read_preference_to_send(TopologyType::sharded, ServerType::mongos, operation) == &preference->document);
    REQUIRE_FALSE(read_preference_to_send(TopologyType::single, ServerType::standalone, operation));
}
