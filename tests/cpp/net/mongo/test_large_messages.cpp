// Requests and replies of megabytes, on a thread and on an event loop.
#include <poll.h>

#include "net/mongo/live.h"
#include "net/reactor.h"

using namespace barewire::test;

namespace {

constexpr int documents = 12;
constexpr std::size_t text_size = 1 << 20;

// {insert: ...} with 12 documents of 1 MB in a document sequence.
void fill_insert(Command& insert) {
    insert.text("insert", "large").boolean("ordered", true);
    insert.retry = Retry::write;
    base::Buffer& to = insert.sequence;
    (void)to.append("\1", 1);
    (void)to.append_little<std::int32_t>(0);
    (void)to.append("documents", 10);
    for (int i = 0; i < documents; ++i) {
        const base::Buffer one = document_of(Command("").int32("_id", i).text("x", std::string(text_size, static_cast<char>('a' + i))));
        (void)to.append(one.data(), one.size());
    }
    base::store_little<std::int32_t>(to.data() + 1, static_cast<std::int32_t>(to.size() - 1));
}

void fill_find(Command& find) {
    find.text("find", "large").document("filter", Command("")).int32("batchSize", 1000);
    find.retry = Retry::read;
}

void fill_clear(Command& clear) {
    clear.text("delete", "large").array("deletes", Command("").document("0", Command("").document("q", Command("")).int32("limit", 0)));
}

bool all_there(const Command& find) {
    DocumentView batch(DocumentView(find.answer().find("cursor")).find("firstBatch"));
    Element element;
    int count = 0;
    while (batch.next(element)) {
        const DocumentView one(element);
        const auto id = one.find("_id").integer();
        if (one.find("x").text() != std::string(text_size, static_cast<char>('a' + id))) return false;
        ++count;
    }
    return count == documents;
}

}  // namespace

TEST_CASE("megabytes go out and come back on a thread", "[live]") {
    const char* uri = server_uri();
    if (!uri) return;
    const auto client = connect_client(uri, 2);
    for (int round = 0; round < 2; ++round) {
        Command clear("barewire_cpp"), insert("barewire_cpp"), find("barewire_cpp");
        fill_clear(clear);
        client->run(clear, never);
        REQUIRE(clear.succeeded());
        fill_insert(insert);
        client->run(insert, never);
        INFO(insert.failure.message);
        REQUIRE(insert.succeeded());
        REQUIRE(insert.answer().find("n").integer() == documents);
        fill_find(find);
        client->run(find, never);
        REQUIRE(find.succeeded());
        REQUIRE(all_there(find));
    }
    REQUIRE(client->pool_stats().at(0).created == 1);
}

TEST_CASE("megabytes go out and come back on a loop", "[live]") {
    const char* uri = server_uri();
    if (!uri) return;
    const auto client = connect_client(uri, 2);
    int error = 0;
    const auto reactor = Reactor::create(error);
    REQUIRE(reactor);
    auto finish = [&](Command& command) {
        client->start(command, *reactor);
        const auto end = Clock::now() + std::chrono::seconds(20);
        while (!command.finished && Clock::now() < end) {
            pollfd entry{reactor->descriptor(), POLLIN, 0};
            if (::poll(&entry, 1, 50) > 0) reactor->drain();
        }
        REQUIRE(command.completions == 1);
    };
    Command clear("barewire_cpp"), insert("barewire_cpp"), find("barewire_cpp"), ping("admin");
    fill_clear(clear);
    finish(clear);
    fill_insert(insert);
    finish(insert);
    INFO(insert.failure.message);
    REQUIRE(insert.succeeded());
    fill_find(find);
    finish(find);
    REQUIRE(find.succeeded());
    REQUIRE(all_there(find));
    ping.int32("ping", 1);
    finish(ping);
    REQUIRE(ping.succeeded());
    REQUIRE(client->pool_stats().at(0).created == 1);
    // A loop that closes while the request is on its way.
    Command lost("barewire_cpp");
    fill_insert(lost);
    client->start(lost, *reactor);
    reactor->close();
    REQUIRE(lost.completions == 0);
    Command after("admin");
    after.int32("ping", 1);
    client->run(after, never);
    REQUIRE(after.succeeded());
    REQUIRE(settled_use(*client) == 0);
}
