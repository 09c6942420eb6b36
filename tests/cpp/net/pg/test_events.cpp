// What happens unasked: notices, notifications, lost connections, cancel requests, a closing loop, fork.
#include <sys/wait.h>
#include <unistd.h>

#include <thread>

#include "net/pg/live.h"

using namespace barewire::test;

namespace {

class Watching final : public Observer {
public:
    void notice(const Result& notice) noexcept override {
        notices.emplace_back(notice.error_field(ErrorField::message_primary));
    }
    void notification(std::string_view channel, std::string_view payload, int process) noexcept override {
        notifications.emplace_back(std::string(channel) + ':' + std::string(payload));
        from = process;
    }
    void lost(const Failure& why) noexcept override { losses.push_back(why.message); }
    std::vector<std::string> notices, notifications, losses;
    int from = 0;
};

void kill(Connection& by, int process) {
    script(by, ("SELECT pg_terminate_backend(" + std::to_string(process) + ")").c_str());
}

}  // namespace

TEST_CASE("notices and notifications reach the observer", "[pg]") {
    if (!conninfo()) return;
    const std::string library = GENERATE(from_range(libraries()));
    Connected connection(engine_of(library)), other(engine_of(library));
    Watching watching;
    connection->observer = &watching;
    script(connection.connection, "DO $$ BEGIN RAISE NOTICE 'one'; RAISE WARNING 'two'; END $$");
    CHECK(watching.notices == std::vector<std::string>{"one", "two"});
    script(connection.connection, "LISTEN news");
    const auto notify = [&](const char* payload) {
        script(other.connection, (std::string("NOTIFY news, '") + payload + "'").c_str());
    };
    SECTION("with the next operation") {
        notify("a");
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        CHECK(watching.notifications.empty());
        script(connection.connection, "SELECT 1");
        CHECK(watching.notifications == std::vector<std::string>{"news:a"});
        CHECK(watching.from == other->backend_process());
    }
    SECTION("at once on a watched connection, also between its operations") {
        Loop loop;
        REQUIRE(connection->watch(*loop.reactor));
        for (int i = 0; i < 5; ++i) {
            notify("b");
            REQUIRE(loop.until([&] { return watching.notifications.size() == static_cast<std::size_t>(i) + 1; }));
            Query query("SELECT $1::int4", {int4(i)});
            connection->submit(query, *loop.reactor);
            REQUIRE(loop.until([&] { return query.finished; }));
            CHECK(!query.failure);
        }
        connection->unwatch();
        notify("c");
        CHECK(!loop.until([&] { return watching.notifications.size() == 6; }, 100));
        REQUIRE(connection->poll_input());
        CHECK(watching.notifications.size() == 6);
    }
    SECTION("while a blocking caller waits for them") {
        PlainWait wait;
        CHECK(connection->wait_input(wait, Clock::now() + std::chrono::milliseconds(50)) == Waited::timeout);
        std::thread thread([&] {
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
            const char* text = "NOTIFY news, 'd'";
            Text operation(text);
            PlainWait own;
            other->run(operation, own);
        });
        CHECK(connection->wait_input(wait, Clock::now() + std::chrono::seconds(10)) == Waited::ready);
        thread.join();
        CHECK(watching.notifications == std::vector<std::string>{"news:d"});
    }
    connection->observer = nullptr;
}

TEST_CASE("a killed connection gives the server's reason to its operation, and an error to the rest", "[pg]") {
    if (!conninfo()) return;
    const std::string library = GENERATE(from_range(libraries()));
    Connected connection(engine_of(library)), other(engine_of(library));
    Watching watching;
    connection->observer = &watching;
    Loop loop;
    PlainWait wait;
    const int process = connection->backend_process();
    SECTION("with operations under way, on an event loop") {
        Query slow("SELECT pg_sleep(20)"), behind("SELECT 1"), waiting("SELECT 2");
        Text last("SELECT 3");
        connection->submit(slow, *loop.reactor);
        connection->submit(behind, *loop.reactor);
        connection->submit(waiting, *loop.reactor);
        connection->submit(last, *loop.reactor);
        loop.until([] { return false; }, 50);
        kill(other.connection, process);
        REQUIRE(loop.until([&] { return last.finished && slow.finished && behind.finished && waiting.finished; }));
        CHECK(slow.state() == "57P01");
        CHECK(slow.failure.kind == Failure::Kind::server);
        CHECK(behind.failure.kind == Failure::Kind::network);
        CHECK(last.failure.kind == Failure::Kind::network);
        for (int completions : {slow.completions, behind.completions, waiting.completions, last.completions})
            CHECK(completions == 1);
        CHECK(!last.sent);
    }
    SECTION("blocking") {
        std::thread thread([&] {
            std::this_thread::sleep_for(std::chrono::milliseconds(100));
            Text operation("");
            const std::string text = "SELECT pg_terminate_backend(" + std::to_string(process) + ")";
            operation.text = text.c_str();
            PlainWait own;
            other->run(operation, own);
        });
        Query slow("SELECT pg_sleep(20)");
        connection->run(slow, wait);
        thread.join();
        CHECK(slow.state() == "57P01");
    }
    SECTION("while idle") {
        kill(other.connection, process);
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        const bool look_first = GENERATE(true, false);
        if (look_first) CHECK(!connection->fit());
        Query query("SELECT 1");
        connection->run(query, wait);
        REQUIRE(query.finished);
        CHECK(query.failure);
    }
    SECTION("while watched") {
        REQUIRE(connection->watch(*loop.reactor));
        kill(other.connection, process);
        REQUIRE(loop.until([&] { return !connection->connected(); }));
    }
    SECTION("in the middle of COPY") {
        class Endless final : public CopyIn {
        public:
            Next block(const std::uint8_t*& data, std::size_t& size) noexcept override {
                data = reinterpret_cast<const std::uint8_t*>("abcdefgh\n");
                size = 9;
                return ++blocks == 3 ? Next::wait : Next::item;
            }
            int blocks = 0;

        protected:
            void destroy() noexcept override {}
        } endless;
        script(connection.connection, "CREATE TEMP TABLE t (x text)");
        endless.text = "COPY t FROM STDIN";
        connection->submit(endless, *loop.reactor);
        loop.until([&] { return endless.blocks == 3; });
        kill(other.connection, process);
        REQUIRE(loop.until([&] { return endless.finished; }));
        CHECK(endless.failure);
    }
    Query later("SELECT 1");
    connection->submit(later, *loop.reactor);
    REQUIRE(later.finished);
    CHECK(later.failure);
    CHECK(!connection->connected());
    CHECK(watching.losses.size() == 1);
    connection->observer = nullptr;
}

TEST_CASE("cancel() makes the running statement fail", "[pg]") {
    if (!conninfo()) return;
    const std::string library = GENERATE(from_range(libraries()));
    Connected connection(engine_of(library));
    Loop loop;
    Query slow("SELECT pg_sleep(20)");
    slow.rewindable = false;
    connection->submit(slow, *loop.reactor);
    loop.until([] { return false; }, 50);
    connection->cancel();
    REQUIRE(loop.until([&] { return slow.finished; }, 15000));
    CHECK(slow.state() == "57014");
    Query after("SELECT 1");
    connection->submit(after, *loop.reactor);
    REQUIRE(loop.until([&] { return after.finished; }));
    CHECK(!after.failure);
}

TEST_CASE("long parameters and long results at the same time do not block each other", "[pg]") {
    if (!conninfo()) return;
    const std::string library = GENERATE(from_range(libraries()));
    Connected connection(engine_of(library));
    Loop loop;
    PlainWait wait;
    const std::string megabytes(3 << 20, 'x');
    std::vector<std::unique_ptr<Query>> all;
    {
        Reactor::Turn turn(*loop.reactor);
        for (int i = 0; i < 10; ++i) {
            all.push_back(std::make_unique<Query>("SELECT $1::text", std::vector<std::string>{megabytes}));
            connection->submit(*all.back(), *loop.reactor);
        }
    }
    REQUIRE(loop.until([&] { return all.back()->finished; }, 30000));
    for (const auto& query : all) {
        REQUIRE(!query->failure);
        CHECK(query->text().size() == megabytes.size());
    }
    Query batch;
    batch.add("SELECT $1::text", {megabytes});
    for (int i = 0; i < 9; ++i) batch.items.push_back({0, {megabytes}});
    connection->run(batch, wait);
    REQUIRE(!batch.failure);
    CHECK(batch.rows.size() == 10);
}

TEST_CASE("a loop that closes leaves no operation behind", "[pg]") {
    if (!conninfo()) return;
    const std::string library = GENERATE(from_range(libraries()));
    Connected connection(engine_of(library));
    Query slow("SELECT pg_sleep(20)"), behind("SELECT 1"), paused("SELECT i FROM generate_series(1, 100000) i");
    SECTION("under way") {
        Loop loop;
        slow.timeout = std::chrono::seconds(30);
        connection->submit(slow, *loop.reactor);
        connection->submit(behind, *loop.reactor);
        loop.until([] { return false; }, 20);
    }
    SECTION("paused") {
        paused.chunk_rows = 10;
        paused.on_result = [] { return Answer::pause; };
        Loop loop;
        connection->submit(paused, *loop.reactor);
        connection->submit(behind, *loop.reactor);
        loop.until([&] { return paused.parts == 1; });
    }
    CHECK(behind.finished);
    CHECK(behind.completions == 0);
    CHECK(behind.failure.kind == Failure::Kind::closed);
    CHECK(!connection->busy());
    CHECK(!connection->connected());
}

TEST_CASE("a closed connection ends its operations and can be made again", "[pg]") {
    if (!conninfo()) return;
    const std::string library = GENERATE(from_range(libraries()));
    const auto engine = engine_of(library);
    Connected connection(engine);
    Loop loop;
    Query slow("SELECT pg_sleep(20)"), behind("SELECT 1");
    connection->submit(slow, *loop.reactor);
    connection->submit(behind, *loop.reactor);
    loop.until([] { return false; }, 20);
    connection->close();
    CHECK((slow.finished && behind.finished));
    CHECK(slow.failure.kind == Failure::Kind::closed);
    CHECK(loop.reactor->in_flight() == 0);
    NoInterrupt none;
    Failure failure;
    pg_conn* made = connect(*engine, options(), none, failure);
    REQUIRE(made);
    REQUIRE(connection->adopt(engine, made));
    Query again("SELECT 5");
    connection->submit(again, *loop.reactor);
    REQUIRE(loop.until([&] { return again.finished; }));
    CHECK(integer(again.text()) == 5);
}

TEST_CASE("connections are made on a loop, refused, cancelled and timed out", "[pg]") {
    if (!conninfo()) return;
    const auto engine = engine_of(GENERATE(from_range(libraries())));
    Loop loop;
    class Trying final : public Connecting {
    public:
        pg_conn* made = nullptr;
        int calls = 0, drops = 0;

    private:
        void connected(pg_conn* connection) noexcept override {
            ++calls;
            made = connection;
        }
        void dropped() noexcept override { ++drops; }
    } trying;
    auto wanted = std::make_shared<ConnectOptions>(options());
    SECTION("made") {
        REQUIRE(trying.start(engine, wanted, *loop.reactor));
        REQUIRE(loop.until([&] { return trying.calls == 1; }));
        REQUIRE(trying.made);
        Connection connection;
        REQUIRE(connection.adopt(engine, trying.made));
        CHECK(connection.backend_process() > 0);
        CHECK(connection.server_version() >= 140000);
        CHECK(std::string(connection.parameter_status("client_encoding")) == "UTF8");
        CHECK(std::string(connection.info("dbname")) != "");
    }
    SECTION("refused") {
        wanted->parameters.emplace_back("dbname", "no_such_database_here");
        REQUIRE(trying.start(engine, wanted, *loop.reactor));
        REQUIRE(loop.until([&] { return trying.calls == 1; }));
        CHECK(!trying.made);
        CHECK(trying.failure.kind == Failure::Kind::network);
        CHECK(trying.failure.message.find("no_such_database_here") != std::string::npos);
    }
    SECTION("nothing answers") {
        // An address of a network for documentation: packets go nowhere, or are refused at once.
        wanted->parameters = {{"host", "192.0.2.1"}, {"connect_timeout", "2"}};
        wanted->timeout = std::chrono::milliseconds(300);
        const auto start = Clock::now();
        REQUIRE(trying.start(engine, wanted, *loop.reactor));
        REQUIRE(loop.until([&] { return trying.calls == 1; }, 20000));
        CHECK(!trying.made);
        CHECK(trying.failure);
        CHECK(Clock::now() - start < std::chrono::seconds(10));
    }
    SECTION("cancelled") {
        REQUIRE(trying.start(engine, wanted, *loop.reactor));
        trying.cancel();
        REQUIRE(loop.until([&] { return trying.calls == 1; }));
        CHECK(!trying.made);
        CHECK(trying.failure.kind == Failure::Kind::cancelled);
    }
    SECTION("another host after one that is not there") {
        const std::string real = conninfo();
        const std::size_t at = real.find("host=");
        if (at == std::string::npos) return;
        const std::string host = real.substr(at + 5, real.find(' ', at) - at - 5);
        wanted->parameters.emplace_back("host", "/tmp/no-such-directory," + host);
        REQUIRE(trying.start(engine, wanted, *loop.reactor));
        REQUIRE(loop.until([&] { return trying.calls == 1; }));
        INFO(trying.failure.message);
        REQUIRE(trying.made);
        Connection connection;
        REQUIRE(connection.adopt(engine, trying.made));
        CHECK(connection.info("host") == host);
    }
}

TEST_CASE("a forked child forgets the connection without harming it", "[pg]") {
    if (!conninfo()) return;
    const std::string library = GENERATE(from_range(libraries()));
    Connected connection(engine_of(library));
    PlainWait wait;
    Query before("SELECT 1");
    connection->run(before, wait);
    const pid_t child = ::fork();
    if (child == 0) {
        connection->abandon_after_fork();
        ::_exit(connection->connected() ? 1 : 0);
    }
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK((WIFEXITED(status) && WEXITSTATUS(status) == 0));
    Query after("SELECT 2");
    connection->run(after, wait);
    REQUIRE(!after.failure);
    CHECK(integer(after.text()) == 2);
}
