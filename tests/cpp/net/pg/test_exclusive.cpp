// COPY both ways and scripts: what has the connection to itself.
#include "net/pg/live.h"

using namespace barewire::test;

namespace {

class Into final : public CopyIn {
public:
    explicit Into(const char* statement) { text = statement; }
    Next block(const std::uint8_t*& data, std::size_t& size) noexcept override {
        ++blocks;
        if (wait_once) {
            wait_once = false;
            return Next::wait;
        }
        if (blocks == refuse_at) return Next::refuse;
        if (left == 0) return Next::end;
        --left;
        data = reinterpret_cast<const std::uint8_t*>(bytes.data());
        size = bytes.size();
        return Next::item;
    }
    void started(int count, bool is_binary) noexcept override {
        columns = count;
        binary = is_binary;
    }
    void completed() noexcept override { ++completions; }
    std::string state() const {
        return error ? std::string(error.view().error_field(ErrorField::sqlstate)) : std::string();
    }
    std::string bytes;
    int left = 0, blocks = 0, refuse_at = -1, columns = -1, completions = 0;
    bool binary = false, wait_once = false;

protected:
    void destroy() noexcept override {}
};

class OutOf final : public CopyOut {
public:
    explicit OutOf(const char* statement) { text = statement; }
    Answer data(const std::uint8_t* from, std::size_t size) noexcept override {
        ++messages;
        bytes.append(reinterpret_cast<const char*>(from), size);
        if (messages == stop_at) return Answer::stop;
        return messages == pause_at ? Answer::pause : Answer::more;
    }
    void started(int count, bool is_binary) noexcept override {
        columns = count;
        binary = is_binary;
    }
    std::string state() const {
        return error ? std::string(error.view().error_field(ErrorField::sqlstate)) : std::string();
    }
    std::string bytes;
    int messages = 0, stop_at = -1, pause_at = -1, columns = -1;
    bool binary = false;

protected:
    void destroy() noexcept override {}
};

// 1,000 lines of 40 bytes or so.
std::string lines(const char* key = "7") {
    std::string text;
    for (int i = 0; i < 1000; ++i) text += std::string(key) + "\tabcdefghijklmnopqrstuvwxyz0123456789\n";
    return text;
}

}  // namespace

TEST_CASE("rows are copied in, with back-pressure, on both drivers", "[pg]") {
    if (!conninfo()) return;
    const std::string library = GENERATE(from_range(libraries()));
    const bool blocking = GENERATE(true, false);
    Connected connection(engine_of(library));
    PlainWait wait;
    Loop loop;
    script(connection.connection, "DROP TABLE IF EXISTS copied; CREATE TABLE copied (id int, t text)");
    const auto go = [&](Operation& operation) {
        if (blocking) {
            connection->run(operation, wait);
        } else {
            connection->submit(operation, *loop.reactor);
            loop.until([&] { return operation.finished; }, 30000);
        }
    };
    const auto count = [&] { return script(connection.connection, "SELECT count(*) FROM copied").at(0); };
    SECTION("all of them") {
        Into into("COPY copied FROM STDIN");
        into.bytes = lines();
        into.left = 300;   // 12 MB: more than any buffer on the way
        go(into);
        INFO(into.failure.message);
        REQUIRE(into.finished);
        REQUIRE(!into.failure);
        CHECK(into.tag == "COPY 300000");
        CHECK(into.rows == 300000);
        CHECK(into.columns == 2);
        CHECK(!into.binary);
        CHECK(count() == "300000");
    }
    SECTION("none") {
        Into into("COPY copied FROM STDIN (FORMAT binary)");
        into.bytes = std::string("PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0\0\377\377", 21);
        into.left = 1;
        go(into);
        REQUIRE(!into.failure);
        CHECK(into.rows == 0);
        CHECK(into.binary);
    }
    SECTION("a block of its own that the caller refuses: nothing stays") {
        Into into("COPY copied FROM STDIN");
        into.bytes = lines();
        into.left = 100;
        into.refuse_at = 50;
        go(into);
        CHECK(into.failure.kind == Failure::Kind::refused);
        CHECK(count() == "0");
    }
    SECTION("a row that the server refuses ends it, soon unless libpq has read the error while it could not write") {
        bool soon = false;
        for (int i = 0; i < 10; ++i) {
            Into into("COPY copied FROM STDIN");
            into.bytes = "1\ta\nnot a number\tb\n" + lines();
            into.left = 300;   // 12 MB if nobody noticed
            go(into);
            REQUIRE(into.finished);
            CHECK(into.state() == "22P02");
            CHECK(into.error.view().error_field(ErrorField::context).find("line 2") != std::string::npos);
            CHECK(count() == "0");
            soon |= into.left > 0;
        }
        CHECK(soon);
    }
    SECTION("a statement that fails at once, and one that is no COPY") {
        Into missing("COPY no_such_table FROM STDIN");
        go(missing);
        CHECK(missing.state() == "42P01");
        CHECK(missing.blocks == 0);
        Into other("SELECT 1");
        go(other);
        CHECK(other.failure.kind == Failure::Kind::protocol);
        Into wrong_way("COPY (SELECT 1) TO STDOUT");
        go(wrong_way);
        CHECK(wrong_way.failure.kind == Failure::Kind::protocol);
    }
    SECTION("inside a transaction that begins with it") {
        connection->want_begin("BEGIN");
        Into into("COPY copied FROM STDIN");
        into.bytes = "1\ta\n";
        into.left = 1;
        go(into);
        REQUIRE(!into.failure);
        CHECK(connection->transaction_status() == TransactionStatus::open);
        script(connection.connection, "ROLLBACK");
        CHECK(count() == "0");
    }
    if (!blocking) {
        SECTION("a source that is not ready") {
            Into into("COPY copied FROM STDIN");
            into.bytes = "1\ta\n";
            into.left = 5;
            into.wait_once = true;
            connection->submit(into, *loop.reactor);
            CHECK(!loop.until([&] { return into.finished; }, 100));
            connection->resume(into);
            REQUIRE(loop.until([&] { return into.finished; }));
            CHECK(into.rows == 5);
        }
        SECTION("given up in the middle") {
            Into into("COPY copied FROM STDIN");
            into.bytes = "1\ta\n";
            into.wait_once = true;
            into.left = 5;
            connection->submit(into, *loop.reactor);
            loop.until([&] { return into.blocks == 1; });
            into.give_up({Failure::Kind::cancelled});
            CHECK((into.finished && into.completions == 1));
            REQUIRE(loop.until([&] { return !connection->busy(); }));
            CHECK(count() == "0");
        }
    }
    Query after("SELECT 1");
    go(after);
    CHECK(!after.failure);
    script(connection.connection, "DROP TABLE copied");
}

TEST_CASE("rows are copied out", "[pg]") {
    if (!conninfo()) return;
    const std::string library = GENERATE(from_range(libraries()));
    const bool blocking = GENERATE(true, false);
    Connected connection(engine_of(library));
    PlainWait wait;
    Loop loop;
    const auto go = [&](Operation& operation) {
        if (blocking) {
            connection->run(operation, wait);
        } else {
            connection->submit(operation, *loop.reactor);
            loop.until([&] { return operation.finished; }, 30000);
        }
    };
    SECTION("as lines") {
        OutOf out("COPY (SELECT i FROM generate_series(1, 100000) i) TO STDOUT");
        go(out);
        REQUIRE(!out.failure);
        CHECK(out.rows == 100000);
        CHECK(out.tag == "COPY 100000");
        CHECK(out.messages == 100000);
        CHECK(out.bytes.substr(0, 4) == "1\n2\n");
    }
    SECTION("binary") {
        OutOf out("COPY (SELECT 1, 'a') TO STDOUT (FORMAT binary)");
        go(out);
        REQUIRE(!out.failure);
        CHECK((out.binary && out.columns == 2));
        CHECK(out.bytes.substr(0, 11) == std::string("PGCOPY\n\377\r\n\0", 11));
    }
    SECTION("an error in the middle") {
        OutOf out("COPY (SELECT 1 / (50000 - i) FROM generate_series(1, 100000) i) TO STDOUT");
        go(out);
        CHECK(out.state() == "22012");
        CHECK(out.messages > 1000);
    }
    SECTION("stopped") {
        OutOf out("COPY (SELECT i FROM generate_series(1, 5000000) i) TO STDOUT");
        out.stop_at = 10;
        go(out);
        CHECK(out.failure.kind == Failure::Kind::refused);
        CHECK(out.messages == 10);
    }
    SECTION("paused") {
        OutOf out("COPY (SELECT i FROM generate_series(1, 100000) i) TO STDOUT");
        out.pause_at = 1000;
        go(out);
        if (blocking) {
            CHECK((!out.finished && out.messages == 1000));
            connection->run(out, wait);
        }
        REQUIRE((out.finished || !blocking));
        CHECK(out.messages == (blocking ? 100000 : 1000));
        if (!blocking) {
            connection->resume(out);
            REQUIRE(loop.until([&] { return out.finished; }));
            CHECK(out.messages == 100000);
        }
    }
    SECTION("no COPY") {
        OutOf other("SELECT 1");
        go(other);
        CHECK(other.failure.kind == Failure::Kind::protocol);
        OutOf wrong_way("COPY pg_class FROM STDIN");
        go(wrong_way);
        CHECK(wrong_way.failure);
    }
    Query after("SELECT 1");
    go(after);
    CHECK(!after.failure);
}

TEST_CASE("COPY as an ordinary statement is refused, and the next operation is served or told", "[pg]") {
    if (!conninfo()) return;
    const std::string library = GENERATE(from_range(libraries()));
    Connected connection(engine_of(library));
    PlainWait wait;
    script(connection.connection, "CREATE TEMP TABLE here (id int)");
    Text in("COPY here FROM STDIN"), out("COPY here TO STDOUT");
    connection->run(in, wait);
    CHECK(in.failure.kind == Failure::Kind::protocol);
    connection->run(out, wait);
    CHECK(out.failure.kind == Failure::Kind::protocol);
    Query prepared_in("COPY here FROM STDIN");
    connection->run(prepared_in, wait);
    REQUIRE(prepared_in.finished);
    CHECK(prepared_in.failure.kind == Failure::Kind::protocol);
    Query after("SELECT count(*) FROM here");
    connection->run(after, wait);
    REQUIRE(!after.failure);
    Query prepared_out("COPY here TO STDOUT");
    connection->run(prepared_out, wait);
    REQUIRE(prepared_out.finished);
    CHECK(prepared_out.failure.kind == Failure::Kind::protocol);
    Query last("SELECT 1");
    connection->run(last, wait);
    CHECK(last.finished);
}
