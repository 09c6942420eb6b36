// Commands of blocking callers against a real server.
#include <thread>
#include <vector>

#include "net/mongo/live.h"

using namespace barewire::test;

TEST_CASE("a blocking ping and find answer", "[live]") {
    const char* uri = server_uri();
    if (!uri) return;
    const auto client = connect_client(uri);
    Command ping("admin");
    ping.int32("ping", 1);
    client->run(ping, never);
    INFO(ping.failure.message);
    REQUIRE(ping.succeeded());
    REQUIRE(ping.finished);
    REQUIRE(ping.server.max_wire_version > 6);

    Command clear("barewire_cpp");
    clear.text("delete", "blocking").array("deletes", Command("").document("0", Command("").document("q", Command("")).int32("limit", 0)));
    clear.retry = Retry::never;
    client->run(clear, never);
    REQUIRE(clear.succeeded());
    for (int i = 0; i < 5; ++i) {
        Command insert("barewire_cpp");
        insert.text("insert", "blocking").array("documents", Command("").document("0", Command("").int32("_id", i)));
        insert.retry = Retry::write;
        client->run(insert, never);
        INFO(insert.failure.message);
        REQUIRE(insert.succeeded());
        REQUIRE(insert.answer().find("n").integer() == 1);
    }
    Command find("barewire_cpp");
    find.text("find", "blocking").document("filter", Command(""));
    find.retry = Retry::read;
    client->run(find, never);
    REQUIRE(find.succeeded());
    REQUIRE(cursor_size(find) == 5);
    REQUIRE(client->cluster_time().empty() == !find.answer().find("$clusterTime"));
    REQUIRE(client->pool_stats().size() == 1);
    REQUIRE(client->pool_stats()[0].created == 1);
    REQUIRE(settled_use(*client) == 0);
    client->close();
    Command late("admin");
    late.int32("ping", 1);
    client->run(late, never);
    REQUIRE(late.failure.kind == Failure::Kind::closed);
}

TEST_CASE("many threads share few connections and each gets its own answer", "[live]") {
    const char* uri = server_uri();
    if (!uri) return;
    const auto client = connect_client(uri, 3);
    std::vector<std::thread> threads;
    std::atomic<int> wrong{0};
    for (int t = 0; t < 8; ++t) {
        threads.emplace_back([&, t] {
            for (int i = 0; i < 50; ++i) {
                Command echo("admin");
                echo.int32("ping", 1).text("comment", std::to_string(t));
                client->run(echo, never);
                if (!echo.succeeded()) ++wrong;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    REQUIRE(wrong == 0);
    const auto stats = client->pool_stats();
    REQUIRE(stats.size() == 1);
    REQUIRE(stats[0].open <= 3);
    REQUIRE(settled_use(*client) == 0);
}

TEST_CASE("a server that is not there ends in a selection error in time", "[live]") {
    const auto client = connect_client("mongodb://127.0.0.1:1/?directConnection=true&connectTimeoutMS=500");
    Command ping("admin");
    ping.int32("ping", 1);
    ping.selection_timeout = std::chrono::milliseconds(700);
    const auto start = Clock::now();
    client->run(ping, never);
    const auto took = Clock::now() - start;
    REQUIRE(ping.failure.kind == Failure::Kind::server_selection);
    REQUIRE(ping.failure.message.find("refused") != std::string::npos);
    REQUIRE(took >= std::chrono::milliseconds(600));
    REQUIRE(took < std::chrono::milliseconds(1200));
}

TEST_CASE("an unusable URI is told at once", "[live]") {
    const auto client = connect_client("mongodb://");
    Command ping("admin");
    ping.int32("ping", 1);
    client->run(ping, never);
    REQUIRE(ping.failure.kind == Failure::Kind::configuration);
}
