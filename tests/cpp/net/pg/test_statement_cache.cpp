// The cache of statements: by itself, and against what a server has.
#include "net/pg/statement_cache.h"

#include <algorithm>

#include "net/pg/live.h"

using namespace barewire::test;

namespace {

StatementKey key_of(const std::string& text, const std::vector<std::uint32_t>& types = {}) {
    return {text.c_str(), text.size(), types.data(), types.size()};
}

// How many of ours the server has.
std::size_t on_server(Connection& connection) {
    return std::stoul(script(connection, "SELECT count(*) FROM pg_prepared_statements").at(0));
}

class Counted final : public Plan {
public:
    explicit Counted(int& count) : count_(count) { ++count_; }
    ~Counted() override { --count_; }

private:
    int& count_;
};

void good(Connection& connection, Query& query) {
    PlainWait wait;
    connection.run(query, wait);
    INFO(query.failure.message);
    REQUIRE(query.finished);
    REQUIRE(!query.failure);
}

}  // namespace

TEST_CASE("equal keys are one statement, different keys never", "[pg]") {
    StatementCache cache;
    cache.size_limit = 1000;
    std::vector<Statement*> all;
    for (int i = 0; i < 500; ++i) {
        const std::string text = "SELECT " + std::to_string(i);
        Statement* plain = cache.acquire(key_of(text));
        Statement* typed = cache.acquire(key_of(text, {23}));
        Statement* other = cache.acquire(key_of(text, {23, 0}));
        REQUIRE((plain != typed && typed != other && plain != other));
        CHECK(cache.acquire(key_of(text)) == plain);
        CHECK(cache.acquire(key_of(text, {23})) == typed);
        for (Statement* each : {plain, plain, typed, typed, other}) cache.release(*each);
    }
    CHECK(cache.size() == 1000);
    CHECK(cache.misses == 1500);
}

TEST_CASE("no two connections give the same name: poolers let sessions meet each other's statements", "[pg]") {
    std::vector<std::string> names;
    for (int i = 0; i < 200; ++i) {
        StatementCache cache;
        cache.size_limit = 2;
        for (const char* text : {"a", "b"}) {
            Statement* statement = cache.acquire(key_of(text));
            REQUIRE(cache.name(*statement));
            names.push_back(statement->name);
            cache.release(*statement);
        }
    }
    std::sort(names.begin(), names.end());
    CHECK(std::adjacent_find(names.begin(), names.end()) == names.end());
    CHECK(names.front().size() < 64);
}

TEST_CASE("the least recently used statement leaves, but not while it is in use", "[pg]") {
    StatementCache cache;
    cache.size_limit = 2;
    int plans = 0;
    Statement* a = cache.acquire(key_of("a"));
    a->plan = std::make_unique<Counted>(plans);
    REQUIRE(cache.name(*a));
    const std::string name = a->name;
    CHECK(!name.empty());
    cache.release(*cache.acquire(key_of("b")));
    cache.release(*cache.acquire(key_of("c")));   // a leaves the table
    CHECK(cache.size() == 2);
    CHECK(plans == 1);
    CHECK(cache.to_close.empty());
    Statement* again = cache.acquire(key_of("a"));
    CHECK(again != a);
    cache.release(*again);
    cache.release(*a);
    CHECK(plans == 0);
    CHECK(cache.to_close == std::vector<std::string>{name});
    std::vector<std::unique_ptr<Plan>> taken;
    Statement* d = cache.acquire(key_of("d"));
    d->plan = std::make_unique<Counted>(plans);
    CHECK(cache.take_plans(taken));
    CHECK(plans == 1);
    cache.release(*d);
    cache.clear();
    CHECK(plans == 1);
    taken.clear();
    CHECK(plans == 0);
}

TEST_CASE("the server has as many statements as the cache", "[pg]") {
    if (!conninfo()) return;
    const std::string library = GENERATE(from_range(libraries()));
    Connected connection(engine_of(library));
    connection->statements().size_limit = 5;
    for (int round = 0; round < 3; ++round) {
        for (int i = 0; i < 20; ++i) {
            const std::string text = "SELECT " + std::to_string(i);
            Query query(text.c_str());
            good(connection.connection, query);
            CHECK(integer(query.text()) == i);
        }
    }
    // The last one that left goes with the next statement.
    Query again("SELECT 19");
    good(connection.connection, again);
    CHECK(connection->statements().size() == 5);
    CHECK(connection->statements().prepared() == 5);
    CHECK(on_server(connection.connection) == 5);
    SECTION("evictions in a failed transaction are made up for") {
        PlainWait wait;
        script(connection.connection, "BEGIN");
        Text bad("SELECT 1/0");
        connection->run(bad, wait);
        for (int i = 100; i < 110; ++i) {
            const std::string text = "SELECT " + std::to_string(i);
            Query query(text.c_str());
            connection->run(query, wait);
            CHECK(query.state() == "25P02");
        }
        script(connection.connection, "ROLLBACK");
        for (int i = 200; i < 206; ++i) {
            const std::string text = "SELECT " + std::to_string(i);
            Query query(text.c_str());
            good(connection.connection, query);
        }
        Query last("SELECT 205");
        good(connection.connection, last);
        CHECK(on_server(connection.connection) == 5);
    }
}

TEST_CASE("statements survive DISCARD ALL and DEALLOCATE", "[pg]") {
    if (!conninfo()) return;
    const std::string library = GENERATE(from_range(libraries()));
    Connected connection(engine_of(library));
    PlainWait wait;
    const char* text = "SELECT $1::int4 + 1";
    for (const char* how : {"DISCARD ALL", "DEALLOCATE ALL", "DEALLOCATE ALL; SELECT 1", "deallocate barewire_"}) {
        Query before(text, {int4(1)});
        good(connection.connection, before);
        std::string command = how;
        if (command.back() == '_')
            command = "DO $$ BEGIN EXECUTE 'DEALLOCATE ' || (SELECT name FROM pg_prepared_statements LIMIT 1); END $$";
        SECTION(std::string(how) + " as a script") { script(connection.connection, command.c_str()); }
        SECTION(std::string(how) + " as a statement") {
            if (command.find(';') == std::string::npos) {
                Query query(command.c_str(), {}, true);
                good(connection.connection, query);
            }
        }
        for (int i = 0; i < 3; ++i) {
            Query after(text, {int4(i)});
            good(connection.connection, after);
            CHECK(integer(after.text()) == i + 1);
        }
    }
    // In a pipeline behind it: what was sent with a name that is gone is sent again.
    Loop loop;
    Query discard("DISCARD ALL", {}, true), behind(text, {int4(5)}), stubborn(text, {int4(5)});
    stubborn.rewindable = false;
    {
        Reactor::Turn turn(*loop.reactor);
        connection->submit(discard, *loop.reactor);
        connection->submit(behind, *loop.reactor);
        connection->submit(stubborn, *loop.reactor);
    }
    REQUIRE(loop.until([&] { return behind.finished && stubborn.finished; }));
    REQUIRE(!discard.failure);
    REQUIRE(!behind.failure);
    CHECK(behind.rewinds == 1);
    CHECK(integer(behind.text()) == 6);
    CHECK(stubborn.state() == "26000");
}

TEST_CASE("a plan that has become stale is prepared again outside a transaction, reported inside", "[pg]") {
    if (!conninfo()) return;
    const std::string library = GENERATE(from_range(libraries()));
    Connected connection(engine_of(library)), other(engine_of(library));
    PlainWait wait;
    script(other.connection, "DROP TABLE IF EXISTS changing; CREATE TABLE changing (id int); INSERT INTO changing VALUES (1)");
    const char* text = "SELECT * FROM changing";
    int plans = 0;
    Query first(text);
    good(connection.connection, first);
    Statement* statement = connection->statements().acquire(first.all_uses[0].key);
    REQUIRE(statement);
    statement->plan = std::make_unique<Counted>(plans);
    connection->statements().release(*statement);
    CHECK(first.columns.size() == 1);
    script(other.connection, "ALTER TABLE changing ADD t text DEFAULT 'new'");
    SECTION("outside") {
        Query again(text);
        good(connection.connection, again);
        CHECK(again.rewinds == 1);
        CHECK(again.columns == std::vector<std::string>{"id", "t"});
        CHECK(again.text(0, 1) == "new");
        CHECK(plans == 0);
        CHECK(on_server(connection.connection) == 1);
    }
    SECTION("behind others, which the error undoes") {
        Query batch;
        batch.add("INSERT INTO changing VALUES ($1)", {int4(2)});
        batch.add(text);
        SECTION("in an implicit transaction") {}
        SECTION("in one of its own") { batch.begin = "BEGIN"; }
        connection->run(batch, wait);
        REQUIRE(!batch.failure);
        CHECK(batch.rewinds == 1);
        CHECK(batch.rows.size() == 2);
        CHECK(script(other.connection, "SELECT count(*) FROM changing").at(0) == "2");
    }
    SECTION("behind one that is kept") {
        Query batch;
        batch.add("INSERT INTO changing VALUES ($1)", {int4(2)});
        batch.add("COMMIT");
        batch.add(text);
        connection->run(batch, wait);
        CHECK(batch.state() == "0A000");
        CHECK(batch.rewinds == 0);
        CHECK(script(other.connection, "SELECT count(*) FROM changing").at(0) == "2");
    }
    SECTION("each on its own: from the first stale one on, if nothing behind it was run") {
        Query batch;
        batch.separate = true;
        batch.add("INSERT INTO changing VALUES ($1)", {int4(2)});
        batch.add(text);
        batch.items.push_back({1, {}});
        SECTION("nothing was") {
            connection->run(batch, wait);
            CHECK(batch.errors.empty());
            CHECK(batch.row_items == std::vector<std::size_t>{1, 1, 2, 2});
            CHECK(script(other.connection, "SELECT count(*) FROM changing").at(0) == "2");
        }
        SECTION("one was") {
            batch.items.push_back({0, {int4(3)}});
            connection->run(batch, wait);
            using Errors = std::vector<std::pair<std::size_t, std::string>>;
            CHECK(batch.errors == Errors{{1, "0A000"}, {2, "0A000"}});
            CHECK(batch.rewinds == 0);
            CHECK(script(other.connection, "SELECT count(*) FROM changing").at(0) == "3");
        }
        REQUIRE(!batch.failure);
    }
    SECTION("inside") {
        connection->want_begin("BEGIN");
        Query again(text);
        connection->run(again, wait);
        CHECK(again.state() == "0A000");
        CHECK(again.rewinds == 0);
        CHECK(connection->transaction_status() == TransactionStatus::failed);
        script(connection.connection, "ROLLBACK");
        Query later(text);
        good(connection.connection, later);
        CHECK(later.columns.size() == 2);
        CHECK(on_server(connection.connection) == 1);
    }
    SECTION("after DISCARD ALL nothing complains, and the columns are the new ones") {
        script(connection.connection, "DISCARD ALL");
        Query again(text);
        good(connection.connection, again);
        CHECK(again.columns == std::vector<std::string>{"id", "t"});
        CHECK(plans == 0);
    }
    script(other.connection, "DROP TABLE changing");
}

TEST_CASE("switched off, nothing is kept on the server and a known statement still takes one round trip", "[pg]") {
    if (!conninfo()) return;
    const std::string library = GENERATE(from_range(libraries()));
    Connected connection(engine_of(library));
    PlainWait wait;
    SECTION("for poolers") { connection->statements().on_server = false; }
    SECTION("text too long") { connection->statements().text_limit = 10; }
    for (int i = 0; i < 3; ++i) {
        Query query("SELECT $1::int4 + 1, $2", {int4(i), "x"});
        wait.waits = 0;
        connection->run(query, wait);
        REQUIRE(!query.failure);
        CHECK(integer(query.text()) == i + 1);
        CHECK(wait.waits == (i == 0 ? 2 : 1));
    }
    CHECK(on_server(connection.connection) == 0);
    connection->statements().size_limit = 0;
    Query none("SELECT $1::int4 + 2", {int4(1)});
    good(connection.connection, none);
    CHECK(on_server(connection.connection) == 0);
}

TEST_CASE("a statement that cannot be prepared leaves no trace on the server", "[pg]") {
    if (!conninfo()) return;
    const std::string library = GENERATE(from_range(libraries()));
    Connected connection(engine_of(library));
    PlainWait wait;
    for (int i = 0; i < 3; ++i) {
        Query bad("SELECT * FROM not_there_yet");
        connection->run(bad, wait);
        CHECK(bad.state() == "42P01");
    }
    CHECK(on_server(connection.connection) == 0);
    CHECK(connection->statements().prepared() == 0);
    script(connection.connection, "CREATE TEMP TABLE not_there_yet (id int)");
    Query now("SELECT * FROM not_there_yet");
    good(connection.connection, now);
    CHECK(on_server(connection.connection) == 1);
}
