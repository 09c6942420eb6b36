// Single statements of many tasks over few connections of a pool.
#include "net/pg/shared.h"
#include "net/pg/statement_text.h"

#include <algorithm>

#include "net/pg/live.h"

using namespace barewire::test;

namespace {

struct Shared {
    Shared(const std::string& library, std::uint32_t max_size, std::uint32_t limit) {
        PoolSettings settings;
        settings.connect = options();
        settings.max_size = max_size;
        pool = std::make_shared<ConnectionPool>(engine_of(library), settings);
        shared = std::make_shared<SharedConnections>(pool, *loop.reactor, limit, std::chrono::seconds(10));
    }
    ~Shared() { pool->close(); }
    Loop loop;
    std::shared_ptr<ConnectionPool> pool;
    std::shared_ptr<SharedConnections> shared;
};

}  // namespace

TEST_CASE("which statements may share a connection", "[pg]") {
    const auto shareable = [](const char* text) { return leaves_nothing_behind(text); };
    CHECK(shareable("select 1"));
    CHECK(shareable("  \n\tSELECT 1"));
    CHECK(shareable("-- why\nInsert into t values (1)"));
    CHECK(shareable("/* why */ WITH a AS (SELECT 1) SELECT * FROM a"));
    CHECK(shareable("(SELECT 1) UNION (SELECT 2)"));
    CHECK(shareable("EXPLAIN SELECT 1"));
    for (const char* text : {"BEGIN", "start transaction", "SET x = 1", "LISTEN a", "COPY t FROM STDIN", "selectx", "", "--",
                             "/* a", "/* /* a */ */ SELECT 1", "DECLARE c CURSOR FOR SELECT 1", "LOCK t", "DISCARD ALL",
                             "PREPARE x AS SELECT 1", "CREATE TABLE t ()", "SELECTED", "DO $$ $$", "CALL p()"})
        CHECK_FALSE(shareable(text));
}

TEST_CASE("hundreds of statements share a few connections", "[pg]") {
    if (!conninfo()) return;
    const std::string library = GENERATE(from_range(libraries()));
    Shared all(library, 10, 4);
    constexpr int tasks = 200, rounds = 20;
    int finished = 0, failed = 0;
    std::vector<std::unique_ptr<Query>> keep;
    std::function<void(int, int)> next = [&](int task, int round) {
        if (round == rounds) {
            ++finished;
            return;
        }
        keep.push_back(std::make_unique<Query>("SELECT 10 / $1::int4, $2::int4",
                                               std::vector<std::string>{int4(task % 10), int4(task * 1000 + round)}));
        Query& query = *keep.back();
        query.on_completed = [&, task, round] {
            const bool should_fail = task % 10 == 0;
            if (should_fail ? query.state() != "22012" : query.failure || integer(query.text(0, 1)) != task * 1000 + round)
                ++failed;
            next(task, round + 1);
        };
        all.shared->submit(query, true);
    };
    for (int task = 0; task < tasks; ++task) next(task, 0);
    REQUIRE(all.loop.until([&] { return finished == tasks; }, 30000));
    CHECK(failed == 0);
    CHECK(all.loop.until([&] { return all.pool->stats().in_use == 0; }, 1000));
    CHECK(all.pool->stats().size <= 10);
    CHECK(all.shared->connections() == 0);
}

TEST_CASE("a slow statement does not hold up the others", "[pg]") {
    if (!conninfo()) return;
    const std::string library = GENERATE(from_range(libraries()));
    Shared all(library, 4, 2);
    Query warm("SELECT 1"), slow("SELECT pg_sleep(20)");
    all.shared->submit(warm, true);
    REQUIRE(all.loop.until([&] { return warm.finished; }));
    all.shared->submit(slow, true);
    all.loop.until([] { return false; }, 20);
    const auto start = Clock::now();
    std::vector<std::unique_ptr<Query>> quick;
    // The first may still have to stand behind it while another connection is being made.
    quick.push_back(std::make_unique<Query>("SELECT 1"));
    all.shared->submit(*quick.back(), true);
    all.loop.until([] { return false; }, 100);
    for (int i = 0; i < 20; ++i) {
        quick.push_back(std::make_unique<Query>("SELECT 1"));
        all.shared->submit(*quick.back(), true);
        REQUIRE(all.loop.until([&] { return quick.back()->finished; }));
        CHECK(!quick.back()->failure);
    }
    CHECK(Clock::now() - start < std::chrono::seconds(10));
    slow.give_up({Failure::Kind::cancelled});
    REQUIRE(all.loop.until([&] { return slow.finished && quick.front()->finished; }));
    CHECK(!quick.front()->failure);
}

TEST_CASE("other kinds of work get a connection of their own, and nobody starves", "[pg]") {
    if (!conninfo()) return;
    const std::string library = GENERATE(from_range(libraries()));
    Shared all(library, 1, 4);
    // A stream of shared statements that never ends by itself ...
    int running = 0;
    bool stop = false;
    std::vector<std::unique_ptr<Query>> keep;
    std::function<void()> more = [&] {
        if (stop) return;
        keep.push_back(std::make_unique<Query>("SELECT 1"));
        keep.back()->on_completed = [&] {
            --running;
            more();
        };
        ++running;
        all.shared->submit(*keep.back(), true);
    };
    for (int i = 0; i < 5; ++i) more();
    REQUIRE(all.loop.until([&] { return keep.size() > 50; }));
    // ... lets a script through, which leaves nothing behind.
    Text own("BEGIN; SELECT 7");
    all.shared->submit(own, false);
    REQUIRE(all.loop.until([&] { return own.finished; }, 20000));
    CHECK(!own.failure);
    CHECK(own.values == std::vector<std::string>{"7"});
    const std::size_t so_far = keep.size();
    REQUIRE(all.loop.until([&] { return keep.size() > so_far + 50; }));
    stop = true;
    REQUIRE(all.loop.until([&] { return running == 0; }));
    for (const auto& query : keep) CHECK(!query->failure);
    CHECK(all.loop.until([&] { return all.pool->stats().idle == 1; }, 1000));
    PooledConnection* connection = all.pool->try_acquire();
    REQUIRE(connection);
    CHECK(connection->transaction_status() == TransactionStatus::idle);
    all.pool->discard(*connection);
}

TEST_CASE("an operation that waits for a connection can time out or be given up", "[pg]") {
    if (!conninfo()) return;
    const std::string library = GENERATE(from_range(libraries()));
    Shared all(library, 1, 1);
    Query warm("SELECT 1");
    all.shared->submit(warm, true);
    REQUIRE(all.loop.until([&] { return warm.finished && all.pool->stats().idle == 1; }));
    PooledConnection* held = all.pool->try_acquire();
    REQUIRE(held);
    Query late("SELECT 1"), dropped("SELECT 1"), served("SELECT 3");
    Text own_late("SELECT 1"), own_dropped("SELECT 1");
    late.timeout = own_late.timeout = std::chrono::milliseconds(50);
    all.shared->submit(late, true);
    all.shared->submit(dropped, true);
    all.shared->submit(served, true);
    all.shared->submit(own_late, false);
    all.shared->submit(own_dropped, false);
    dropped.give_up({Failure::Kind::cancelled});
    own_dropped.give_up({Failure::Kind::cancelled});
    CHECK((dropped.finished && dropped.completions == 1 && dropped.failure.kind == Failure::Kind::cancelled));
    CHECK((own_dropped.finished && own_dropped.completions == 1));
    REQUIRE(all.loop.until([&] { return late.finished && own_late.finished; }));
    CHECK(late.failure.kind == Failure::Kind::network_timeout);
    CHECK(own_late.failure.kind == Failure::Kind::network_timeout);
    CHECK(!served.finished);
    all.pool->release(*held, *all.loop.reactor);
    REQUIRE(all.loop.until([&] { return served.finished; }));
    CHECK(integer(served.text()) == 3);
}

TEST_CASE("sharing costs no reset", "[pg]") {
    if (!conninfo()) return;
    Loop loop;
    PoolSettings settings;
    settings.connect = options();
    settings.max_size = 1;
    settings.reset = "SELECT 1/0";   // whoever is reset is closed
    auto pool = std::make_shared<ConnectionPool>(engine_of(GENERATE(from_range(libraries()))), settings);
    auto shared = std::make_shared<SharedConnections>(pool, *loop.reactor, 1, std::chrono::seconds(10));
    for (int i = 0; i < 5; ++i) {
        Query query("SELECT 1");
        shared->submit(query, true);
        REQUIRE(loop.until([&] { return query.finished && pool->stats().in_use == 0; }));
        CHECK(!query.failure);
    }
    CHECK(pool->stats().made == 1);
    Text own("SELECT 1");
    shared->submit(own, false);
    REQUIRE(loop.until([&] { return own.finished && pool->stats().size == 0; }));
    CHECK(!own.failure);
    pool->close();
}

TEST_CASE("a cancelled neighbour costs nothing but time", "[pg]") {
    if (!conninfo()) return;
    const std::string library = GENERATE(from_range(libraries()));
    Shared all(library, 1, 1);
    for (int round = 0; round < 10; ++round) {
        std::vector<std::unique_ptr<Query>> some;
        for (int i = 0; i < 10; ++i) {
            some.push_back(std::make_unique<Query>(i == 2 ? "SELECT pg_sleep(0.06), $1::int4" : "SELECT pg_sleep(0.005), $1::int4",
                                                   std::vector<std::string>{int4(i)}));
            all.shared->submit(*some.back(), true);
        }
        REQUIRE(all.loop.until([&] { return some[1]->finished; }));
        some[2]->give_up({Failure::Kind::cancelled});
        // One that the request hit instead is sent again, so the order may change.
        REQUIRE(all.loop.until([&] {
            return std::all_of(some.begin(), some.end(), [](const auto& query) { return query->finished; });
        }));
        for (int i = 0; i < 10; ++i) {
            Query& query = *some[static_cast<std::size_t>(i)];
            INFO(i << ": " << query.failure.message);
            CHECK(query.completions == 1);
            if (i == 2) CHECK(query.failure.kind == Failure::Kind::cancelled);
            else CHECK((!query.failure && integer(query.text(0, 1)) == i));
        }
    }
}
