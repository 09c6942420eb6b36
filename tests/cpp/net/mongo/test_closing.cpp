// Fork and the end of clients against a real server.
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>

#include "net/mongo/live.h"

using namespace barewire::test;

TEST_CASE("a forked child works with a new client, the parent's connection is untouched", "[live]") {
    const char* uri = server_uri();
    if (!uri) return;
    const auto client = connect_client(uri, 1);
    auto ping = [](Client& on) {
        Command command("admin");
        command.int32("ping", 1);
        on.run(command, never);
        if (command.failure) std::fprintf(stderr, "ping: %s\n", command.failure.message.c_str());
        return command.succeeded();
    };
    REQUIRE(ping(*client));
    auto status_of_child = [&] {
        const pid_t child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            ::alarm(20);
            client->abandon_after_fork();
            client->close();
            const auto fresh = connect_client(uri, 1);
            const bool good = ping(*fresh) && ping(*fresh);
            ::_exit(good ? 0 : 2);  // not 1: that is a sanitizer's
        }
        int status = -1;
        REQUIRE(::waitpid(child, &status, 0) == child);
        return status;
    };
    int status = status_of_child();
#ifdef __SANITIZE_ADDRESS__
    // AddressSanitizer's allocator knows nothing of fork: a lock that another thread holds at that moment stays locked in
    // the child, whose first allocation of that size waits for ever. Seen once in a hundred on a busy machine.
    for (int i = 0; i < 3 && status != 0; ++i) status = status_of_child();
#endif
    REQUIRE(status == 0);
    REQUIRE(ping(*client));
    REQUIRE(client->pool_stats().at(0).created == 1);
    REQUIRE(client->pool_stats().at(0).closed == 0);
}

TEST_CASE("a client that was never used ends at once", "[live]") {
    const auto start = Clock::now();
    for (int i = 0; i < 10; ++i) (void)connect_client("mongodb://127.0.0.1:1/");
    REQUIRE(Clock::now() - start < std::chrono::milliseconds(500));
}

TEST_CASE("many clients are closed together in the time of one", "[live]") {
    const char* uri = server_uri();
    if (!uri) return;
    std::vector<std::shared_ptr<Client>> clients;
    for (int i = 0; i < 6; ++i) {
        clients.push_back(connect_client(uri, 1));
        Command command("admin");
        command.int32("ping", 1);
        clients.back()->run(command, never);
        REQUIRE(command.succeeded());
    }
    const auto start = Clock::now();
    Client::close_all(clients);
    REQUIRE(Clock::now() - start < std::chrono::milliseconds(1500));
    for (const auto& client : clients) {
        Command command("admin");
        command.int32("ping", 1);
        client->run(command, never);
        REQUIRE(command.failure.kind == Failure::Kind::closed);
    }
}
