// Retries, sessions and state changes against a real server with fail points.
#include <cstring>
#include <thread>

#include "net/mongo/live.h"

using namespace barewire::test;

namespace {

// Arms failCommand for `times` commands of this name; `how` adds what happens.
bool fail_point(Client& client, const char* name, std::int32_t times, const Command& how) {
    Command data("");
    data.array("failCommands", Command("").text("0", name));
    (void)data.body.append(how.body.data() + Operation::header_size, how.body.size() - Operation::header_size);
    Command command("admin");
    command.text("configureFailPoint", "failCommand").document("mode", Command("").int32("times", times)).document("data", data);
    client.run(command, never);
    return command.succeeded();
}

// The next `times` commands of this name fail: with code 6 (host unreachable), or the connection is closed.
bool fail_commands(Client& client, const char* name, std::int32_t times, bool with_code) {
    if (with_code) return fail_point(client, name, times, Command("").int32("errorCode", 6));
    return fail_point(client, name, times, Command("").boolean("closeConnection", true));
}

// A client on a server with test commands, or nothing.
std::shared_ptr<Client> fail_point_client(std::uint32_t size = 10) {
    const char* uri = server_uri();
    if (!uri) return nullptr;
    auto client = connect_client(uri, size);
    if (!fail_point(*client, "neverCalled", 1, Command("").int32("errorCode", 1))) {
        WARN("skipped: the server has no fail points");
        return nullptr;
    }
    return client;
}

void fill_find(Command& command) { command.text("find", "retries").document("filter", Command("")); }
void fill_insert(Command& command, int id) {
    command.text("insert", "retries").array("documents", Command("").document("0", Command("").int32("_id", id)));
}

}  // namespace

TEST_CASE("a read is retried once after a lost connection and after a retryable code", "[live]") {
    const auto client = fail_point_client();
    if (!client) return;
    for (const bool code : {false, true}) {
        REQUIRE(fail_commands(*client, "find", 1, code));
        Command find("barewire_cpp");
        fill_find(find);
        find.retry = Retry::read;
        client->run(find, never);
        INFO(find.failure.message);
        REQUIRE(find.succeeded());
        REQUIRE(find.attempts == 2);

        REQUIRE(fail_commands(*client, "find", 1, code));
        Command once("barewire_cpp");
        fill_find(once);
        client->run(once, never);
        REQUIRE(once.attempts == 1);
        if (code) REQUIRE(once.answer().find("code").integer() == 6);
        else REQUIRE(once.failure.kind == Failure::Kind::network);

        REQUIRE(fail_commands(*client, "find", 2, code));
        Command twice("barewire_cpp");
        fill_find(twice);
        twice.retry = Retry::read;
        client->run(twice, never);
        REQUIRE(twice.attempts == 2);
        REQUIRE_FALSE(twice.succeeded());
        REQUIRE(twice.finished);
    }
    Command plain("barewire_cpp");
    REQUIRE(fail_point(*client, "find", 1, Command("").int32("errorCode", 2)));
    fill_find(plain);
    plain.retry = Retry::read;
    client->run(plain, never);
    REQUIRE(plain.attempts == 1);
    REQUIRE(plain.answer().find("code").integer() == 2);
}

TEST_CASE("a write is retried with its number, so that it happens once", "[live]") {
    const auto client = fail_point_client();
    if (!client) return;
    Command drop("barewire_cpp");
    drop.text("delete", "retries").array("deletes", Command("").document("0", Command("").document("q", Command("")).int32("limit", 0)));
    client->run(drop, never);
    REQUIRE(drop.succeeded());
    if (!drop.server.retryable_writes) {
        WARN("skipped: the server has no retryable writes");
        return;
    }
    REQUIRE(fail_commands(*client, "insert", 1, false));
    Command insert("barewire_cpp");
    fill_insert(insert, 1);
    insert.retry = Retry::write;
    client->run(insert, never);
    INFO(insert.failure.message);
    REQUIRE(insert.succeeded());
    REQUIRE(insert.attempts == 2);
    // The reply is lost after the write: the second attempt finds it done.
    Command how("");
    how.document("writeConcernError", Command("").int32("code", 91).text("errmsg", "simulated").array("errorLabels", Command("").text("0", "RetryableWriteError")));
    REQUIRE(fail_point(*client, "insert", 1, how));
    Command again("barewire_cpp");
    fill_insert(again, 2);
    again.retry = Retry::write;
    client->run(again, never);
    INFO(again.failure.message);
    REQUIRE(again.succeeded());
    REQUIRE(again.attempts == 2);
    REQUIRE(again.answer().find("n").integer() == 1);
    Command count("barewire_cpp");
    fill_find(count);
    client->run(count, never);
    REQUIRE(cursor_size(count) == 2);
}

TEST_CASE("a primary that steps down and comes back costs waiting, not errors", "[live]") {
    const auto client = fail_point_client();
    if (!client) return;
    const std::uint64_t before = client->topology().epoch;
    Command down("admin");
    down.int32("replSetStepDown", 1).boolean("force", true);
    client->run(down, never);
    if (!down.succeeded()) {
        WARN("skipped: not a replica set");
        return;
    }
    Command insert("barewire_cpp");
    fill_insert(insert, 77);
    insert.retry = Retry::write;
    client->run(insert, never);
    INFO(insert.failure.message);
    REQUIRE_FALSE(insert.failure);
    REQUIRE(insert.attempts <= 2);
    REQUIRE(insert.succeeded());
    REQUIRE(client->topology().epoch > before);
}

TEST_CASE("the implicit session of a cursor is kept, lent and returned", "[live]") {
    const auto client = fail_point_client();
    if (!client) return;
    for (int i = 100; i < 110; ++i) {
        Command insert("barewire_cpp");
        fill_insert(insert, i);
        insert.retry = Retry::write;
        client->run(insert, never);
    }
    Command find("barewire_cpp");
    fill_find(find);
    find.int32("batchSize", 2);
    find.keep_session = true;
    client->run(find, never);
    REQUIRE(find.succeeded());
    REQUIRE(find.session);
    const std::int64_t id = DocumentView(find.answer().find("cursor")).find("id").integer();
    REQUIRE(id != 0);
    // Somebody else's sessions in between do not disturb it.
    Command other("barewire_cpp");
    fill_find(other);
    client->run(other, never);
    REQUIRE_FALSE(other.session);
    Command more("barewire_cpp");
    more.int64("getMore", id).text("collection", "retries").int32("batchSize", 1000);
    more.session_use = SessionUse::lent;
    more.session = std::move(find.session);
    more.address = find.server.address;
    client->run(more, never);
    INFO(more.answer().find("errmsg").text());
    REQUIRE(more.succeeded());
    std::uint8_t first[16];
    std::memcpy(first, more.session->id, 16);
    client->release_session(std::move(more.session));
    const auto next = client->acquire_session();
    REQUIRE(std::memcmp(next->id, first, 16) == 0);
}

TEST_CASE("a blocking call is interrupted and the connection dropped", "[live]") {
    const char* uri = server_uri();
    if (!uri) return;
    const auto client = connect_client(uri, 1);
    Command slow("admin");
    slow.text("find", "system.version").document("filter", Command("").text("$where", "sleep(3000) || true"));
    int asked = 0;
    const auto start = Clock::now();
    client->run(slow, [&] { return ++asked == 3; });
    REQUIRE(slow.failure.kind == Failure::Kind::interrupted);
    REQUIRE(Clock::now() - start < std::chrono::milliseconds(1500));
    Command ping("admin");
    ping.int32("ping", 1);
    client->run(ping, never);
    REQUIRE(ping.succeeded());
}

TEST_CASE("a socket timeout does not make the server unknown", "[live]") {
    const char* uri = server_uri();
    if (!uri) return;
    const auto client = connect_client(uri, 1);
    Command slow("admin");
    slow.text("find", "system.version").document("filter", Command("").text("$where", "sleep(1500) || true"));
    slow.socket_timeout = std::chrono::milliseconds(300);
    const auto start = Clock::now();
    client->run(slow, never);
    const auto took = Clock::now() - start;
    REQUIRE(slow.failure.kind == Failure::Kind::network_timeout);
    REQUIRE(took > std::chrono::milliseconds(290));
    REQUIRE(took < std::chrono::milliseconds(900));
    REQUIRE(client->topology().servers.at(0).type != ServerType::unknown);
}

TEST_CASE("an unacknowledged command is sent and not waited for", "[live]") {
    const char* uri = server_uri();
    if (!uri) return;
    const auto client = connect_client(uri, 1);
    Command insert("barewire_cpp");
    fill_insert(insert, 4711);
    insert.document("writeConcern", Command("").int32("w", 0));
    insert.expects_reply = false;
    client->run(insert, never);
    REQUIRE(insert.finished);
    REQUIRE_FALSE(insert.failure);
    REQUIRE(insert.reply.empty());
    // The same connection: the next reply is the next command's.
    Command find("barewire_cpp");
    find.text("find", "retries").document("filter", Command("").int32("_id", 4711));
    client->run(find, never);
    REQUIRE(cursor_size(find) == 1);
}

TEST_CASE("closing is quick with operations waiting, and they are told", "[live]") {
    const char* uri = server_uri();
    if (!uri) return;
    const auto client = connect_client(uri, 1);
    Command waiting("admin");
    waiting.int32("ping", 1);
    waiting.address = "nowhere:1";
    std::thread thread([&] { client->run(waiting, never); });
    std::this_thread::sleep_for(std::chrono::milliseconds(200));
    const auto start = Clock::now();
    client->close();
    client->close();
    thread.join();
    REQUIRE(Clock::now() - start < std::chrono::seconds(1));
    REQUIRE(waiting.failure.kind == Failure::Kind::closed);
}
