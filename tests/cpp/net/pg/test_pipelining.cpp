// Many operations on one connection: order, errors of strangers, batches, streams, BEGIN together with what follows.
#include <string>

#include "net/pg/live.h"

using namespace barewire::test;

namespace {

Query& query_of(std::vector<std::unique_ptr<Query>>& all, const char* text, std::vector<std::string> parameters) {
    all.push_back(std::make_unique<Query>(text, std::move(parameters)));
    return *all.back();
}

}  // namespace

TEST_CASE("statements of one turn share the connection and keep their order", "[pg]") {
    if (!conninfo()) return;
    const std::string library = GENERATE(from_range(libraries()));
    Connected connection(engine_of(library));
    Loop loop;
    for (int round = 0; round < 3; ++round) {
        std::vector<std::unique_ptr<Query>> all;
        std::vector<int> order;
        {
            Reactor::Turn turn(*loop.reactor);
            for (int i = 0; i < 200; ++i) {
                // Every seventh fails when it runs.
                Query& query = query_of(all, "SELECT 100 / $1::int4, $2::int4", {int4(i % 7 ? 1 : 0), int4(i)});
                query.on_completed = [&order, i] { order.push_back(i); };
                connection->submit(query, *loop.reactor);
            }
        }
        REQUIRE(loop.until([&] { return all.back()->finished; }));
        REQUIRE(order.size() == 200);
        for (int i = 0; i < 200; ++i) {
            CHECK(order[static_cast<std::size_t>(i)] == i);
            Query& query = *all[static_cast<std::size_t>(i)];
            if (i % 7) {
                REQUIRE(!query.failure);
                CHECK(integer(query.text(0, 1)) == i);
            } else {
                CHECK(query.state() == "22012");
            }
            CHECK(query.completions == 1);
        }
        CHECK(connection->transaction_status() == TransactionStatus::idle);
    }
}

TEST_CASE("a result that submits the next statement is not lost", "[pg]") {
    if (!conninfo()) return;
    const std::string library = GENERATE(from_range(libraries()));
    Connected connection(engine_of(library));
    Loop loop;
    int left = 300;
    std::vector<std::unique_ptr<Query>> all;
    std::function<void()> more = [&] {
        if (left-- <= 0) return;
        Query& query = query_of(all, "SELECT $1::int4", {int4(left)});
        query.on_completed = more;
        connection->submit(query, *loop.reactor);
    };
    more();
    more();
    REQUIRE(loop.until([&] { return left <= -2; }));
    for (const auto& query : all) CHECK(!query->failure);
}

TEST_CASE("a batch is one transaction, or each item is on its own", "[pg]") {
    if (!conninfo()) return;
    const std::string library = GENERATE(from_range(libraries()));
    Connected connection(engine_of(library));
    PlainWait wait;
    script(connection.connection, "DROP TABLE IF EXISTS pipelined; CREATE TABLE pipelined (id int PRIMARY KEY)");
    const auto count = [&] { return script(connection.connection, "SELECT count(*) FROM pipelined").at(0); };
    SECTION("implicit transaction") {
        Query batch;
        batch.add("INSERT INTO pipelined VALUES ($1)", {int4(1)});
        batch.add("SELECT count(*) FROM pipelined");
        batch.items.push_back({0, {int4(2)}});
        connection->run(batch, wait);
        REQUIRE(!batch.failure);
        CHECK(batch.tags == std::vector<std::string>{"INSERT 0 1", "SELECT 1", "INSERT 0 1"});
        CHECK(integer(batch.text()) == 1);
        CHECK(count() == "2");
        Query bad;
        bad.add("INSERT INTO pipelined VALUES ($1)", {int4(3)});
        bad.items.push_back({0, {int4(1)}});
        bad.items.push_back({0, {int4(4)}});
        connection->run(bad, wait);
        CHECK(bad.state() == "23505");
        CHECK(bad.failed_item == 1);
        CHECK(bad.tags.size() == 1);
        CHECK(count() == "2");
    }
    SECTION("with BEGIN and COMMIT") {
        Query batch;
        batch.begin = "BEGIN ISOLATION LEVEL SERIALIZABLE";
        batch.add("INSERT INTO pipelined VALUES ($1)", {int4(1)});
        batch.add("SHOW transaction_isolation");
        batch.binary = true;
        wait.waits = 0;
        connection->run(batch, wait);
        REQUIRE(!batch.failure);
        CHECK(wait.waits <= 3);   // new statements are described first
        CHECK(batch.text() == "serializable");
        CHECK(connection->transaction_status() == TransactionStatus::idle);
        CHECK(count() == "1");
        Query bad;
        bad.begin = "BEGIN";
        bad.add("INSERT INTO pipelined VALUES ($1)", {int4(3)});
        bad.items.push_back({0, {int4(1)}});
        connection->run(bad, wait);
        CHECK(bad.state() == "23505");
        CHECK(bad.failed_item == 1);
        CHECK(connection->transaction_status() == TransactionStatus::idle);
        CHECK(count() == "1");
    }
    SECTION("nothing is sent behind a batch that may have to be rolled back") {
        Loop loop;
        Query bad, after("SELECT 1");
        bad.begin = "BEGIN";
        bad.add("INSERT INTO pipelined VALUES ($1)", {int4(3)});
        bad.items.push_back({0, {int4(3)}});
        connection->submit(bad, *loop.reactor);
        connection->submit(after, *loop.reactor);
        REQUIRE(loop.until([&] { return after.finished; }));
        CHECK(bad.state() == "23505");
        CHECK(!after.failure);
        CHECK(count() == "0");
    }
    SECTION("each on its own") {
        Query batch;
        batch.separate = true;
        batch.add("INSERT INTO pipelined VALUES ($1)", {int4(1)});
        batch.items.push_back({0, {int4(1)}});
        batch.items.push_back({0, {int4(2)}});
        batch.add("SELECT 1 / $1::int4", {int4(0)});
        connection->run(batch, wait);
        REQUIRE(!batch.failure);
        using Errors = std::vector<std::pair<std::size_t, std::string>>;
        CHECK(batch.errors == Errors{{1, "23505"}, {3, "22012"}});
        CHECK(batch.tags == std::vector<std::string>{"INSERT 0 1", "INSERT 0 1"});
        CHECK(count() == "2");
    }
    SECTION("a statement that cannot be prepared") {
        Query batch;
        batch.add("INSERT INTO pipelined VALUES ($1)", {int4(1)});
        batch.add("SELECT * FROM no_such_table");
        batch.add("INSERT INTO pipelined VALUES ($1 + 1)", {int4(1)});
        batch.items.push_back({1, {}});
        SECTION("in a transaction nothing is run") {
            connection->run(batch, wait);
            CHECK(batch.state() == "42P01");
            CHECK(batch.failed_use == 1);
            CHECK(batch.results == 0);
            CHECK(count() == "0");
        }
        SECTION("on its own it fails alone") {
            batch.separate = true;
            connection->run(batch, wait);
            REQUIRE(!batch.failure);
            using Errors = std::vector<std::pair<std::size_t, std::string>>;
            CHECK(batch.errors == Errors{{1, "42P01"}, {3, "42P01"}});
            CHECK(batch.tags.size() == 2);
            CHECK(count() == "2");
        }
        SECTION("alone") {
            Query one("SELECT * FROM no_such_table");
            one.separate = true;
            connection->run(one, wait);
            REQUIRE(one.finished);
            CHECK(one.errors.size() == 1);
        }
    }
    SECTION("a constraint that is checked at the end") {
        script(connection.connection, "ALTER TABLE pipelined ADD other int REFERENCES pipelined DEFERRABLE INITIALLY DEFERRED");
        Query one("INSERT INTO pipelined VALUES ($1, $2)", {int4(1), int4(77)});
        connection->run(one, wait);
        CHECK(one.state() == "23503");
        CHECK(connection->transaction_status() == TransactionStatus::idle);
        Query batch;
        batch.begin = "BEGIN";
        batch.add("INSERT INTO pipelined VALUES ($1, $2)", {int4(1), int4(77)});
        connection->run(batch, wait);
        CHECK(batch.state() == "23503");
        CHECK(connection->transaction_status() == TransactionStatus::idle);
        Query separate;
        separate.separate = true;
        separate.add("INSERT INTO pipelined VALUES ($1, $2)", {int4(1), int4(77)});
        separate.items.push_back({0, {int4(2), int4(2)}});
        connection->run(separate, wait);
        REQUIRE(!separate.failure);
        CHECK(separate.errors.size() == 1);
        CHECK(count() == "1");
    }
    script(connection.connection, "DROP TABLE pipelined");
}

TEST_CASE("BEGIN travels with the first operation", "[pg]") {
    if (!conninfo()) return;
    const std::string library = GENERATE(from_range(libraries()));
    Connected connection(engine_of(library));
    PlainWait wait;
    SECTION("a prepared statement") {
        for (int i = 0; i < 2; ++i) {
            connection->want_begin("BEGIN ISOLATION LEVEL REPEATABLE READ");
            CHECK(connection->begin_wanted());
            Query first("SHOW transaction_isolation");
            wait.waits = 0;
            connection->run(first, wait);
            if (i == 1) CHECK(wait.waits == 1);
            REQUIRE(!first.failure);
            CHECK(first.text() == "repeatable read");
            CHECK(connection->transaction_status() == TransactionStatus::open);
            CHECK(!connection->begin_wanted());
            Query commit("COMMIT", {}, true);
            connection->run(commit, wait);
            CHECK(commit.tags == std::vector<std::string>{"COMMIT"});
            CHECK(connection->transaction_status() == TransactionStatus::idle);
        }
    }
    SECTION("a script") {
        connection->want_begin("BEGIN");
        script(connection.connection, "SELECT 1");
        CHECK(connection->transaction_status() == TransactionStatus::open);
    }
    SECTION("a first statement that fails leaves the transaction failed") {
        const char* text = GENERATE("SELECT 1/0", "SELECT * FROM no_such_table");
        connection->want_begin("BEGIN");
        Query first(text);
        connection->run(first, wait);
        CHECK(first.failure.kind == Failure::Kind::server);
        CHECK(connection->transaction_status() == TransactionStatus::failed);
        Query rollback("ROLLBACK", {}, true);
        connection->run(rollback, wait);
        CHECK(connection->transaction_status() == TransactionStatus::idle);
    }
    SECTION("a BEGIN that fails") {
        connection->want_begin("BEGIN NONSENSE");
        Query first("SELECT 1");
        connection->run(first, wait);
        CHECK(first.state() == "42601");
        connection->want_begin("BEGIN NONSENSE");
        Text text("SELECT 1");
        connection->run(text, wait);
        CHECK(text.state() == "42601");
        CHECK(script(connection.connection, "SELECT 2").at(0) == "2");
    }
    SECTION("a statement that is refused before it is sent") {
        connection->want_begin("BEGIN");
        Query first("SELECT $1::int4", {int4(1)});
        first.refuse_at = 0;
        connection->run(first, wait);
        CHECK(first.failure.kind == Failure::Kind::refused);
        // Its description was asked for inside the transaction.
        CHECK(connection->transaction_status() == TransactionStatus::open);
    }
}

TEST_CASE("a long stream of rows does not fill memory and names the row that fails", "[pg]") {
    if (!conninfo()) return;
    const std::string library = GENERATE(from_range(libraries()));
    Connected connection(engine_of(library));
    PlainWait wait;
    Loop loop;
    script(connection.connection, "DROP TABLE IF EXISTS streamed; CREATE TABLE streamed (id int CHECK (id <> 20000), t text)");
    const auto count = [&] { return script(connection.connection, "SELECT count(*) FROM streamed").at(0); };
    class Stream final : public Query {
    public:
        using Query::Query;
        int rows_total = 0, row = 0, tags_seen = 0, refuse_row = -1;
        std::string filler = std::string(200, 'x');
        Next next(Item& item) noexcept override {
            if (row == refuse_row) return Next::refuse;
            if (row == rows_total) return Next::end;
            std::size_t from = item.parameters.bytes.size();
            if (!item.parameters.bytes.append(int4(row).data(), 4) || !item.parameters.add(from)) return Next::refuse;
            from = item.parameters.bytes.size();
            if (!item.parameters.bytes.append(filler.data(), filler.size()) || !item.parameters.add(from)) return Next::refuse;
            ++row;
            return Next::item;
        }
        Answer result(std::size_t, const Statement&, const Result& result) noexcept override {
            if (result.command_tag() == "INSERT 0 1") ++tags_seen;
            return Answer::more;
        }
    };
    const bool blocking = GENERATE(true, false);
    const auto go = [&](Stream& stream) {
        if (blocking) {
            connection->run(stream, wait);
        } else {
            connection->submit(stream, *loop.reactor);
            loop.until([&] { return stream.finished; }, 30000);
        }
        REQUIRE(stream.finished);
    };
    Stream good;
    good.add_use("INSERT INTO streamed VALUES ($1, $2)");
    good.rows_total = 20000;
    go(good);
    REQUIRE(!good.failure);
    CHECK(good.tags_seen == 20000);
    CHECK(count() == "20000");

    Stream bad;
    bad.add_use("INSERT INTO streamed VALUES ($1, $2)");
    bad.rows_total = 200000;
    go(bad);
    CHECK(bad.state() == "23514");
    CHECK(bad.failed_item == 20000);
    CHECK(bad.row < 100000);   // it stops soon after the error
    CHECK(count() == "20000");

    Stream refused;
    refused.add_use("INSERT INTO streamed VALUES ($1, $2)");
    refused.rows_total = 20000;
    refused.refuse_row = 15000;
    go(refused);
    CHECK(refused.failure.kind == Failure::Kind::refused);
    CHECK(refused.failed_item == 15000);
    CHECK(count() == "20000");
    CHECK(connection->transaction_status() == TransactionStatus::idle);

    Stream empty;
    empty.add_use("INSERT INTO streamed VALUES ($1, $2)");
    go(empty);
    CHECK(!empty.failure);
    script(connection.connection, "DROP TABLE streamed");
}

TEST_CASE("a stream that has to wait goes on", "[pg]") {
    if (!conninfo()) return;
    const std::string library = GENERATE(from_range(libraries()));
    Connected connection(engine_of(library));
    Loop loop;
    Query stream;
    for (int i = 0; i < 4; ++i) {
        if (i == 0) stream.add("SELECT $1::int4", {int4(0)});
        else stream.items.push_back({0, {int4(i)}});
    }
    stream.wait_at = 2;
    connection->submit(stream, *loop.reactor);
    CHECK(!loop.until([&] { return stream.finished; }, 100));
    connection->resume(stream);
    REQUIRE(loop.until([&] { return stream.finished; }));
    REQUIRE(!stream.failure);
    CHECK(stream.rows.size() == 4);
    PlainWait wait;
    Query again;
    again.add("SELECT $1::int4", {int4(0)});
    again.items.push_back({0, {int4(1)}});
    again.wait_at = 1;
    connection->run(again, wait);
    CHECK(!again.finished);
    connection->run(again, wait);
    REQUIRE(again.finished);
    CHECK(again.rows.size() == 2);
}

TEST_CASE("rows in parts can be paused, resumed and stopped", "[pg]") {
    if (!conninfo()) return;
    const std::string library = GENERATE(from_range(libraries()));
    Connected connection(engine_of(library));
    Loop loop;
    PlainWait wait;
    const char* text = "SELECT i, repeat('x', 500) FROM generate_series(1, 20000) i";
    SECTION("event loop") {
        Query query(text), after("SELECT 1");
        query.chunk_rows = 100;
        query.on_result = [&] { return query.parts == 10 ? Answer::pause : Answer::more; };
        connection->submit(query, *loop.reactor);
        connection->submit(after, *loop.reactor);
        REQUIRE(loop.until([&] { return query.parts == 10; }));
        loop.polls = 0;
        CHECK(!loop.until([&] { return query.parts != 10; }, 200));
        CHECK(loop.polls < 5);   // it does not spin meanwhile
        connection->resume(query);
        REQUIRE(loop.until([&] { return after.finished; }));
        CHECK(query.rows.size() == 20000);
        CHECK(!after.failure);
    }
    SECTION("blocking") {
        Query query(text);
        query.chunk_rows = 100;
        query.on_result = [&] { return Answer::pause; };
        int runs = 0;
        while (!query.finished) {
            connection->run(query, wait);
            ++runs;
            REQUIRE(query.rows.size() <= static_cast<std::size_t>(runs) * 100);
        }
        CHECK(query.rows.size() == 20000);
        CHECK(query.tags == std::vector<std::string>{"SELECT 20000"});
        CHECK(runs >= 200);
    }
    SECTION("stopped") {
        Query query("SELECT i, repeat('x', 500) FROM generate_series(1, 2000000) i"), after("SELECT 1");
        query.chunk_rows = 100;
        query.on_result = [&] { return Answer::stop; };
        connection->run(query, wait);
        CHECK(query.failure.kind == Failure::Kind::refused);
        connection->run(after, wait);
        CHECK(!after.failure);
    }
}

TEST_CASE("an operation that is given up does not disturb its neighbours", "[pg]") {
    if (!conninfo()) return;
    const std::string library = GENERATE(from_range(libraries()));
    Connected connection(engine_of(library));
    Loop loop;
    std::vector<std::unique_ptr<Query>> all;
    for (int i = 0; i < 20; ++i) {
        Query& query = i == 5 ? query_of(all, "SELECT pg_sleep(60)", {}) : query_of(all, "SELECT $1::int4", {int4(i)});
        connection->submit(query, *loop.reactor);
    }
    loop.until([&] { return all[4]->finished; });
    const auto start = Clock::now();
    for (std::size_t i : {5, 9, 19}) {
        Failure why;
        why.kind = Failure::Kind::cancelled;
        connection->give_up(*all[i], std::move(why));
        CHECK(all[i]->finished);
        CHECK(all[i]->completions == 1);
    }
    REQUIRE(loop.until([&] { return all[18]->finished && !connection->busy(); }));
    CHECK(Clock::now() - start < std::chrono::seconds(15));
    for (std::size_t i = 0; i < 20; ++i) {
        Query& query = *all[i];
        CHECK(query.completions == 1);
        if (i == 5 || i == 9 || i == 19) {
            CHECK(query.failure.kind == Failure::Kind::cancelled);
        } else {
            INFO(i << query.failure.message);
            REQUIRE(!query.failure);
            CHECK(integer(query.text()) == static_cast<int>(i));
        }
    }
}
