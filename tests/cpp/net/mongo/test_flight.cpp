// Commands on an event loop against a real server.
#include <poll.h>

#include <memory>
#include <thread>
#include <vector>

#include "net/mongo/live.h"
#include "net/reactor.h"

using namespace barewire::test;

namespace {

std::shared_ptr<Reactor> make_reactor() {
    int error = 0;
    auto reactor = Reactor::create(error);
    REQUIRE(reactor);
    return reactor;
}

// What an event loop does, until `until` says so or five seconds are over.
template <class Until>
bool spin(Reactor& reactor, Until until, std::chrono::milliseconds limit = std::chrono::seconds(5)) {
    const auto end = Clock::now() + limit;
    while (!until()) {
        if (Clock::now() > end) return false;
        pollfd entry{reactor.descriptor(), POLLIN, 0};
        if (::poll(&entry, 1, 50) > 0) reactor.drain();
    }
    return true;
}

}  // namespace

TEST_CASE("an operation on an event loop is completed once, with its reply", "[live]") {
    const char* uri = server_uri();
    if (!uri) return;
    const auto client = connect_client(uri);
    const auto reactor = make_reactor();
    for (int i = 0; i < 20; ++i) {
        Command ping("admin");
        ping.int32("ping", 1);
        client->start(ping, *reactor);
        REQUIRE(spin(*reactor, [&] { return ping.finished; }));
        REQUIRE(ping.completions == 1);
        INFO(ping.failure.message);
        REQUIRE(ping.succeeded());
    }
    REQUIRE(client->pool_stats()[0].created == 1);
    REQUIRE(settled_use(*client) == 0);
    reactor->close();
}

TEST_CASE("fifty operations at the same time share four connections", "[live]") {
    const char* uri = server_uri();
    if (!uri) return;
    const auto client = connect_client(uri, 4);
    const auto reactor = make_reactor();
    for (int round = 0; round < 5; ++round) {
        std::vector<std::unique_ptr<Command>> commands;
        for (int i = 0; i < 50; ++i) {
            auto& command = commands.emplace_back(std::make_unique<Command>("admin"));
            command->int32("ping", 1);
            client->start(*command, *reactor);
        }
        REQUIRE(spin(*reactor, [&] {
            for (const auto& command : commands)
                if (!command->finished) return false;
            return true;
        }));
        for (const auto& command : commands) {
            REQUIRE(command->succeeded());
            REQUIRE(command->completions == 1);
        }
    }
    REQUIRE(client->pool_stats()[0].open <= 4);
    REQUIRE(settled_use(*client) == 0);
    reactor->close();
}

TEST_CASE("several loops and blocking threads use one client together", "[live]") {
    const char* uri = server_uri();
    if (!uri) return;
    const auto client = connect_client(uri, 3);
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 3; ++t) {
        threads.emplace_back([&] {
            int error = 0;
            const auto reactor = Reactor::create(error);
            for (int i = 0; i < 60; ++i) {
                Command one("admin"), two("admin");
                one.int32("ping", 1);
                two.int32("ping", 1);
                client->start(one, *reactor);
                client->start(two, *reactor);
                if (!spin(*reactor, [&] { return one.finished && two.finished; })) ++wrong;
                if (!one.succeeded() || !two.succeeded()) ++wrong;
            }
            reactor->close();
        });
        threads.emplace_back([&] {
            for (int i = 0; i < 60; ++i) {
                Command ping("admin");
                ping.int32("ping", 1);
                client->run(ping, never);
                if (!ping.succeeded()) ++wrong;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    REQUIRE(wrong == 0);
    REQUIRE(settled_use(*client) == 0);
    REQUIRE(client->pool_stats()[0].open <= 3);
}

TEST_CASE("an abandoned operation is dropped before it is sent", "[live]") {
    const char* uri = server_uri();
    if (!uri) return;
    const auto client = connect_client(uri);
    const auto reactor = make_reactor();
    Command ping("admin");
    ping.int32("ping", 1);
    client->start(ping, *reactor);  // waits for the first snapshot
    ping.give_up = true;
    REQUIRE(spin(*reactor, [&] { return ping.finished; }));
    REQUIRE(ping.failure.kind == Failure::Kind::cancelled);
    REQUIRE_FALSE(ping.sent);
    reactor->close();
}

TEST_CASE("a closed loop drops its operations and leaves the pool right", "[live]") {
    const char* uri = server_uri();
    if (!uri) return;
    const auto client = connect_client(uri, 1);
    const auto reactor = make_reactor();
    Command warm("admin");
    warm.int32("ping", 1);
    client->run(warm, never);
    REQUIRE(warm.succeeded());
    Command flying("admin"), queued("admin"), parked("admin");
    flying.int32("ping", 1);
    queued.int32("ping", 1);
    parked.int32("ping", 1);
    parked.address = "nowhere:1";
    client->start(flying, *reactor);
    client->start(queued, *reactor);
    client->start(parked, *reactor);
    reactor->close();
    REQUIRE(flying.completions + queued.completions + parked.completions == 0);
    REQUIRE(client->pool_stats()[0].waiting == 0);
    REQUIRE(settled_use(*client) == 0);
    Command after("admin");
    after.int32("ping", 1);
    client->run(after, never);
    REQUIRE(after.succeeded());
}

TEST_CASE("timeouts on a loop: selection, wait queue, socket", "[live]") {
    const char* uri = server_uri();
    if (!uri) return;
    const auto client = connect_client(uri, 1);
    const auto reactor = make_reactor();
    Command lost("admin");
    lost.int32("ping", 1);
    lost.address = "nowhere:1";
    lost.selection_timeout = std::chrono::milliseconds(300);
    client->start(lost, *reactor);
    REQUIRE(spin(*reactor, [&] { return lost.finished; }));
    REQUIRE(lost.failure.kind == Failure::Kind::server_selection);

    Command slow("admin"), waiting("admin");
    slow.text("find", "system.version").document("filter", Command("").text("$where", "sleep(700) || true"));
    slow.socket_timeout = std::chrono::milliseconds(400);
    waiting.int32("ping", 1);
    waiting.wait_queue_timeout = std::chrono::milliseconds(200);
    client->start(slow, *reactor);
    client->start(waiting, *reactor);
    REQUIRE(spin(*reactor, [&] { return slow.finished && waiting.finished; }));
    INFO(slow.failure.message);
    REQUIRE(slow.failure.kind == Failure::Kind::network_timeout);
    REQUIRE(waiting.failure.kind == Failure::Kind::wait_queue_timeout);
    Command after("admin");
    after.int32("ping", 1);
    client->start(after, *reactor);
    REQUIRE(spin(*reactor, [&] { return after.finished; }));
    REQUIRE(after.succeeded());
    reactor->close();
}
