// One statement at a time, on both drivers and every library: parameters, rows, errors, timeouts.
#include "net/pg/live.h"

using namespace barewire::test;

TEST_CASE("a prepared statement gives rows, on both drivers", "[pg]") {
    if (!conninfo()) return;
    const std::string library = GENERATE(from_range(libraries()));
    Connected connection(engine_of(library));
    PlainWait wait;
    for (int i = 0; i < 3; ++i) {
        Query query("SELECT $1::int4 + 1 AS n, $2::text AS t, NULL::text AS z", {int4(41 + i), "wörd"});
        connection->run(query, wait);
        REQUIRE(query.finished);
        REQUIRE(!query.failure);
        REQUIRE(query.rows.size() == 1);
        CHECK(integer(query.text(0, 0)) == 42 + i);
        CHECK(query.text(0, 1) == "wörd");
        CHECK(query.rows[0][2].null);
        CHECK(query.columns == std::vector<std::string>{"n", "t", "z"});
        CHECK(query.tags == std::vector<std::string>{"SELECT 1"});
        CHECK(query.completions == 0);
        CHECK(connection->transaction_status() == TransactionStatus::idle);
    }
    CHECK(connection->statements().size() == 1);
    Loop loop;
    for (int i = 0; i < 3; ++i) {
        Query query("SELECT $1::int4 + 1 AS n, $2::text AS t, NULL::text AS z", {int4(41 + i), ""});
        connection->submit(query, *loop.reactor);
        REQUIRE(loop.until([&] { return query.finished; }));
        REQUIRE(!query.failure);
        CHECK(integer(query.text(0, 0)) == 42 + i);
        CHECK((query.text(0, 1).empty() && !query.rows[0][1].null));
        CHECK(query.completions == 1);
    }
    Query query("SELECT $1::text IS NULL", {"<null>"});
    connection->run(query, wait);
    REQUIRE(query.rows.size() == 1);
    CHECK(query.text() == std::string(1, '\1'));
}

TEST_CASE("a cached statement costs one round trip", "[pg]") {
    if (!conninfo()) return;
    const std::string library = GENERATE(from_range(libraries()));
    Connected connection(engine_of(library));
    PlainWait wait;
    for (int i = 0; i < 2; ++i) {
        Query query("SELECT $1::int4", {int4(1)});
        connection->run(query, wait);
        REQUIRE(!query.failure);
    }
    wait.waits = 0;
    Query query("SELECT $1::int4", {int4(1)});
    connection->run(query, wait);
    CHECK(wait.waits == 1);
}

TEST_CASE("an error of the server belongs to its statement, and the connection goes on", "[pg]") {
    if (!conninfo()) return;
    const std::string library = GENERATE(from_range(libraries()));
    Connected connection(engine_of(library));
    PlainWait wait;
    SECTION("when it is prepared") {
        Query query("SELECT * FROM no_such_table");
        connection->run(query, wait);
        REQUIRE(query.finished);
        CHECK(query.failure.kind == Failure::Kind::server);
        CHECK(query.state() == "42P01");
        CHECK(query.failure.message.find("no_such_table") != std::string::npos);
        CHECK(connection->statements().size() == 1);
    }
    SECTION("when it runs") {
        Query query("SELECT 1 / $1::int4", {int4(0)});
        connection->run(query, wait);
        CHECK(query.state() == "22012");
        CHECK(query.error.view().error_field(ErrorField::severity_not_localized) == "ERROR");
    }
    SECTION("in a script") {
        Text text("SELECT 1; SELECT 1/0; SELECT 2");
        connection->run(text, wait);
        CHECK(text.state() == "22012");
        CHECK(text.values == std::vector<std::string>{"1"});
    }
    Query after("SELECT 7");
    connection->run(after, wait);
    REQUIRE(!after.failure);
    CHECK(integer(after.text()) == 7);
}

TEST_CASE("scripts alternate with prepared statements", "[pg]") {
    if (!conninfo()) return;
    const std::string library = GENERATE(from_range(libraries()));
    Connected connection(engine_of(library));
    PlainWait wait;
    for (int i = 0; i < 3; ++i) {
        CHECK(script(connection.connection, "SELECT 1; SELECT 'two'; SELECT 3") == std::vector<std::string>{"1", "two", "3"});
        Query query("SELECT 4");
        connection->run(query, wait);
        CHECK(integer(query.text()) == 4);
    }
}

TEST_CASE("text results and text parameters", "[pg]") {
    if (!conninfo()) return;
    const std::string library = GENERATE(from_range(libraries()));
    Connected connection(engine_of(library));
    PlainWait wait;
    Query query("SELECT $1::int4 * 2, $2::text", {"21", "x"});
    query.binary = false;
    connection->run(query, wait);
    REQUIRE(!query.failure);
    CHECK(query.text(0, 0) == "42");
    CHECK(query.text(0, 1) == "x");
}

TEST_CASE("many rows come in parts once a statement is known to give many", "[pg]") {
    if (!conninfo()) return;
    const std::string library = GENERATE(from_range(libraries()));
    const auto engine = engine_of(library);
    Connected connection(engine);
    PlainWait wait;
    Loop loop;
    for (int i = 0; i < 4; ++i) {
        Query query("SELECT i, repeat('x', 100) FROM generate_series(1, $1::int4) i", {int4(5000)});
        if (i < 2) {
            connection->run(query, wait);
        } else {
            connection->submit(query, *loop.reactor);
            loop.until([&] { return query.finished; });
        }
        REQUIRE(query.finished);
        REQUIRE(!query.failure);
        REQUIRE(query.rows.size() == 5000);
        CHECK(integer(query.text(4999)) == 5000);
        CHECK(query.tags == std::vector<std::string>{"SELECT 5000"});
        if (engine->can_chunk()) CHECK(query.parts > 1);
        else CHECK(query.parts == 0);
    }
    Query whole("SELECT i, repeat('x', 100) FROM generate_series(1, $1::int4) i", {int4(5000)});
    whole.chunk_rows = -1;
    connection->run(whole, wait);
    CHECK(whole.parts == 0);
    CHECK(whole.rows.size() == 5000);
}

TEST_CASE("a timeout ends the operation at once and leaves the connection usable", "[pg]") {
    if (!conninfo()) return;
    const std::string library = GENERATE(from_range(libraries()));
    Connected connection(engine_of(library));
    const auto start = Clock::now();
    SECTION("blocking") {
        PlainWait wait;
        Query query("SELECT pg_sleep(20)");
        query.timeout = std::chrono::milliseconds(150);
        connection->run(query, wait);
        REQUIRE(query.finished);
        CHECK(query.failure.kind == Failure::Kind::network_timeout);
        CHECK(Clock::now() - start < std::chrono::seconds(6));
        CHECK(connection->transaction_status() == TransactionStatus::idle);
        Query after("SELECT 5");
        connection->run(after, wait);
        REQUIRE(!after.failure);
        CHECK(integer(after.text()) == 5);
    }
    SECTION("event loop") {
        Loop loop;
        Query query("SELECT pg_sleep(20)"), after("SELECT 5");
        query.timeout = std::chrono::milliseconds(150);
        connection->submit(query, *loop.reactor);
        connection->submit(after, *loop.reactor);
        REQUIRE(loop.until([&] { return query.finished; }));
        CHECK(query.failure.kind == Failure::Kind::network_timeout);
        CHECK(query.completions == 1);
        REQUIRE(loop.until([&] { return after.finished; }));
        CHECK(Clock::now() - start < std::chrono::seconds(6));
        REQUIRE(!after.failure);
        CHECK(integer(after.text()) == 5);
        // Nothing of the request comes late.
        for (int i = 0; i < 20; ++i) {
            Query again("SELECT pg_sleep(0.01)");
            connection->submit(again, *loop.reactor);
            REQUIRE(loop.until([&] { return again.finished; }));
            CHECK(!again.failure);
        }
    }
    SECTION("script") {
        PlainWait wait;
        Text text("SELECT 1; SELECT pg_sleep(20)");
        text.timeout = std::chrono::milliseconds(150);
        connection->run(text, wait);
        CHECK(text.failure.kind == Failure::Kind::network_timeout);
        CHECK(script(connection.connection, "SELECT 6") == std::vector<std::string>{"6"});
    }
}

TEST_CASE("an interrupt cancels the statement", "[pg]") {
    if (!conninfo()) return;
    const std::string library = GENERATE(from_range(libraries()));
    Connected connection(engine_of(library));
    class OnceInterrupted final : public SocketWait {
    public:
        Waited wait(int descriptor, Want want, Clock::time_point deadline) noexcept override {
            NoInterrupt none;
            if (++waits == 3) return Waited::interrupted;
            return wait_descriptor(descriptor, want, std::min(deadline, Clock::now() + std::chrono::milliseconds(50)), none);
        }
        int waits = 0;
    } wait;
    const auto start = Clock::now();
    Query query("SELECT pg_sleep(20)");
    connection->run(query, wait);
    CHECK(query.failure.kind == Failure::Kind::interrupted);
    CHECK(Clock::now() - start < std::chrono::seconds(6));
    CHECK(connection->transaction_status() == TransactionStatus::idle);
    PlainWait plain;
    Query after("SELECT 5");
    connection->run(after, plain);
    REQUIRE(!after.failure);
}
