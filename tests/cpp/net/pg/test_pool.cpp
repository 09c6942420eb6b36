// A pool of real connections: handing out, waiting, resetting, replacing, closing, on threads and event loops.
#include <atomic>
#include <thread>

#include "net/pg/live.h"
#include "net/pg/pool.h"

using namespace barewire::test;

namespace {

class PlainSignal final : public SignalWait {
public:
    Waited wait(Signal& signal, Clock::time_point deadline) noexcept override {
        NoInterrupt none;
        return signal.wait(deadline, none);
    }
};

class Acquired final : public Acquiring {
public:
    PooledConnection* connection = nullptr;
    Failure failure;
    int calls = 0, drops = 0;

private:
    void acquired(PooledConnection& got) noexcept override {
        ++calls;
        connection = &got;
    }
    void not_acquired(const Failure& why) noexcept override {
        ++calls;
        failure = why;
    }
    void dropped() noexcept override { ++drops; }
};

PoolSettings settings_for(std::uint32_t max_size) {
    PoolSettings settings;
    settings.connect = options();
    settings.max_size = max_size;
    return settings;
}

struct Pooled {
    Pooled(const std::string& library, PoolSettings settings)
        : pool(std::make_shared<ConnectionPool>(engine_of(library), std::move(settings))) {}
    ~Pooled() { pool->close(); }
    ConnectionPool* operator->() { return pool.get(); }
    PooledConnection& acquire() {
        Failure failure;
        PooledConnection* connection = pool->acquire(std::chrono::seconds(10), signal, failure);
        INFO(failure.message);
        REQUIRE(connection);
        return *connection;
    }
    void release(PooledConnection& connection) { pool->release(connection, wait); }
    std::shared_ptr<ConnectionPool> pool;
    PlainSignal signal;
    PlainWait wait;
};

int process_of(PooledConnection& connection) { return connection.backend_process(); }

}  // namespace

TEST_CASE("connections are made when needed, reused, and waited for in order", "[pg]") {
    if (!conninfo()) return;
    Pooled pool(GENERATE(from_range(libraries())), settings_for(2));
    PooledConnection& first = pool.acquire();
    const int process = process_of(first);
    CHECK(first.uses == 1);
    CHECK(pool->stats().in_use == 1);
    pool.release(first);
    CHECK(pool->stats().idle == 1);
    PooledConnection& again = pool.acquire();
    CHECK(process_of(again) == process);
    CHECK(again.uses == 2);
    PooledConnection& second = pool.acquire();
    CHECK(process_of(second) != process);
    Failure failure;
    const auto start = Clock::now();
    CHECK(!pool->acquire(std::chrono::milliseconds(100), pool.signal, failure));
    CHECK(failure.kind == Failure::Kind::wait_queue_timeout);
    CHECK(Clock::now() - start >= std::chrono::milliseconds(100));
    CHECK(pool->stats().timed_out == 1);
    Loop loop;
    Acquired a, b, c;
    a.start(pool.pool, *loop.reactor, std::chrono::seconds(5));
    b.start(pool.pool, *loop.reactor, std::chrono::milliseconds(50));
    c.start(pool.pool, *loop.reactor, std::chrono::seconds(5));
    CHECK(pool->stats().waiting == 3);
    REQUIRE(loop.until([&] { return b.calls == 1; }));
    CHECK(b.failure.kind == Failure::Kind::wait_queue_timeout);
    pool.release(again);
    CHECK(a.connection == &again);   // at once, on the same thread
    c.cancel();
    CHECK(c.failure.kind == Failure::Kind::cancelled);
    pool->release(*a.connection, *loop.reactor);
    pool.release(second);
    CHECK(pool->stats().idle == 2);
    CHECK(pool->stats().size == 2);
}

TEST_CASE("a connection comes back clean", "[pg]") {
    if (!conninfo()) return;
    PoolSettings settings = settings_for(1);
    settings.reset = "RESET ALL";
    settings.setup = "SET application_name = 'made by the pool'";
    Pooled pool(GENERATE(from_range(libraries())), settings);
    PlainWait wait;
    const auto soil = [&](PooledConnection& connection) {
        CHECK(script(connection, "SHOW application_name").at(0) == (connection.uses == 1 ? "made by the pool" : ""));
        script(connection, "SET work_mem = '5MB'");
        connection.want_begin("BEGIN");
        script(connection, "SELECT 1");
    };
    SECTION("blocking") {
        PooledConnection& connection = pool.acquire();
        soil(connection);
        SECTION("in a transaction") {}
        SECTION("in a failed one") {
            Text bad("SELECT 1/0");
            connection.run(bad, wait);
        }
        SECTION("with a BEGIN that was not sent") {
            script(connection, "COMMIT");
            connection.want_begin("BEGIN");
        }
        pool.release(connection);
    }
    SECTION("event loop") {
        Loop loop;
        PooledConnection& connection = pool.acquire();
        soil(connection);
        SECTION("idle") {}
        SECTION("with an operation that was given up") {
            Query slow("SELECT pg_sleep(20)");
            connection.submit(slow, *loop.reactor);
            loop.until([] { return false; }, 50);
            slow.give_up({Failure::Kind::cancelled});
            REQUIRE(slow.finished);
            pool->release(connection, *loop.reactor);
            CHECK(loop.until([&] { return pool->stats().idle == 1; }, 20000));
            REQUIRE(pool->stats().idle == 1);
        }
        if (pool->stats().idle == 0) {
            pool->release(connection, *loop.reactor);
            CHECK(loop.until([&] { return pool->stats().idle == 1; }));
        }
        loop.until([] { return false; }, 10);
    }
    PooledConnection& next = pool.acquire();
    CHECK(next.uses == 2);
    CHECK(next.transaction_status() == TransactionStatus::idle);
    CHECK(script(next, "SHOW work_mem").at(0) != "5MB");
    CHECK(!next.begin_wanted());
    pool.release(next);
}

TEST_CASE("killed, old and surplus connections are replaced", "[pg]") {
    if (!conninfo()) return;
    const std::string library = GENERATE(from_range(libraries()));
    Connected other(engine_of(library));
    SECTION("killed while idle") {
        Pooled pool(library, settings_for(1));
        PooledConnection& connection = pool.acquire();
        const int process = process_of(connection);
        pool.release(connection);
        script(other.connection, ("SELECT pg_terminate_backend(" + std::to_string(process) + ")").c_str());
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        PooledConnection& next = pool.acquire();
        CHECK(process_of(next) != process);
        CHECK(script(next, "SELECT 1").at(0) == "1");
        pool.release(next);
        CHECK(pool->stats().lost == 1);
        CHECK(pool->stats().size == 1);
    }
    SECTION("killed while in use") {
        Pooled pool(library, settings_for(1));
        PooledConnection& connection = pool.acquire();
        script(other.connection, ("SELECT pg_terminate_backend(" + std::to_string(process_of(connection)) + ")").c_str());
        Text text("SELECT pg_sleep(1)");
        connection.run(text, pool.wait);
        CHECK(text.failure);
        pool.release(connection);
        CHECK(pool->stats().size == 0);
        PooledConnection& next = pool.acquire();
        CHECK(script(next, "SELECT 1").at(0) == "1");
        pool.release(next);
    }
    SECTION("too old") {
        PoolSettings settings = settings_for(1);
        settings.max_age = std::chrono::milliseconds(100);
        Pooled pool(library, settings);
        PooledConnection& connection = pool.acquire();
        const int process = process_of(connection);
        pool.release(connection);
        std::this_thread::sleep_for(std::chrono::milliseconds(150));
        PooledConnection& next = pool.acquire();
        CHECK(process_of(next) != process);
        pool.release(next);
    }
    SECTION("idle for too long, down to the minimum") {
        PoolSettings settings = settings_for(3);
        settings.min_size = 1;
        settings.max_idle = std::chrono::milliseconds(50);
        Pooled pool(library, settings);
        PooledConnection* all[] = {&pool.acquire(), &pool.acquire(), &pool.acquire()};
        for (PooledConnection* each : all) pool.release(*each);
        CHECK(pool->stats().size == 3);
        std::this_thread::sleep_for(std::chrono::milliseconds(80));
        pool->maintain();
        CHECK(pool->stats().size == 1);
    }
    SECTION("the minimum is opened") {
        PoolSettings settings = settings_for(5);
        settings.min_size = 3;
        Pooled pool(library, settings);
        pool->maintain();
        for (int i = 0; i < 500 && pool->stats().idle < 3; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
        CHECK(pool->stats().idle == 3);
    }
    SECTION("resized and drained") {
        Pooled pool(library, settings_for(3));
        PooledConnection* all[] = {&pool.acquire(), &pool.acquire(), &pool.acquire()};
        const int process = process_of(*all[0]);
        pool->resize(0, 1);
        for (PooledConnection* each : all) pool.release(*each);
        CHECK(pool->stats().size == 1);
        pool->drain();
        CHECK(pool->stats().size == 0);
        pool->resize(0, 2);
        PooledConnection& a = pool.acquire();
        PooledConnection& b = pool.acquire();
        CHECK(process_of(a) != process);
        pool->drain();
        pool.release(a);
        pool.release(b);
        CHECK(pool->stats().size == 0);
    }
}

TEST_CASE("what keeps connections from being made is told, at once when waiting is in vain", "[pg]") {
    if (!conninfo()) return;
    const std::string library = GENERATE(from_range(libraries()));
    PoolSettings settings = settings_for(2);
    Failure failure;
    SECTION("refused by the server") {
        settings.connect.parameters.emplace_back("dbname", "no_such_database_here");
        Pooled pool(library, settings);
        const auto start = Clock::now();
        CHECK(!pool->acquire(std::chrono::seconds(10), pool.signal, failure));
        CHECK(failure.kind == Failure::Kind::network);
        CHECK(failure.message.find("no_such_database_here") != std::string::npos);
        CHECK(Clock::now() - start < std::chrono::seconds(9));
        Loop loop;
        Acquired acquired;
        acquired.start(pool.pool, *loop.reactor, std::chrono::seconds(10));
        REQUIRE(loop.until([&] { return acquired.calls == 1; }));
        CHECK(acquired.failure.kind == Failure::Kind::network);
        CHECK(pool->stats().size == 0);
    }
    SECTION("not there (yet)") {
        settings.connect.parameters.clear();
        settings.connect.parameters.emplace_back("host", "/tmp/no-such-directory");
        Pooled pool(library, settings);
        CHECK(!pool->acquire(std::chrono::milliseconds(300), pool.signal, failure));
        CHECK(failure.kind == Failure::Kind::wait_queue_timeout);
        CHECK(failure.message.find("no-such-directory") != std::string::npos);
        CHECK(pool->stats().failed >= 2);
    }
    SECTION("closed") {
        Pooled pool(library, settings);
        PooledConnection& a = pool.acquire();
        PooledConnection& b = pool.acquire();
        Loop loop;
        Acquired acquired;
        acquired.start(pool.pool, *loop.reactor, Clock::duration::zero());
        CHECK(acquired.calls == 0);
        pool->close();
        CHECK(acquired.failure.kind == Failure::Kind::closed);
        pool.release(a);
        CHECK(!a.connected());
        pool->release(b, *loop.reactor);
        CHECK(!b.connected());
        CHECK(!pool->acquire(std::chrono::seconds(1), pool.signal, failure));
        CHECK(failure.kind == Failure::Kind::closed);
    }
    SECTION("a loop that closes while somebody waits") {
        Pooled pool(library, settings_for(1));
        PooledConnection& a = pool.acquire();
        Acquired acquired;
        {
            Loop loop;
            acquired.start(pool.pool, *loop.reactor, Clock::duration::zero());
        }
        CHECK(acquired.drops == 1);
        CHECK(pool->stats().waiting == 0);
        pool.release(a);
    }
}

TEST_CASE("threads share a pool: nothing is lost and nobody is in two hands", "[pg]") {
    if (!conninfo()) return;
    const std::string library = GENERATE(from_range(libraries()));
    Pooled pool(library, settings_for(3));
    std::atomic<int> failures{0}, done{0}, together{0}, most{0};
    std::vector<std::thread> threads;
    for (int t = 0; t < 6; ++t) {
        threads.emplace_back([&] {
            PlainWait wait;
            PlainSignal signal;
            for (int i = 0; i < 300; ++i) {
                Failure failure;
                PooledConnection* connection = pool->acquire(std::chrono::seconds(20), signal, failure);
                if (!connection) {
                    ++failures;
                    continue;
                }
                const int now = ++together;
                int seen = most.load();
                while (now > seen && !most.compare_exchange_weak(seen, now)) {
                }
                Query query("SELECT $1::int4", {int4(i)});
                connection->run(query, wait);
                if (query.failure || integer(query.text()) != i) ++failures;
                --together;
                if (i % 50 == 49) connection->doomed = true;
                pool->release(*connection, wait);
                ++done;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
    CHECK(failures == 0);
    CHECK(done == 1800);
    CHECK(most <= 3);
    CHECK(pool->stats().in_use == 0);
    CHECK(pool->stats().size <= 3);
    // Every acquisition has ended, whatever way.
    CHECK(pool->stats().acquired == 1800);
}
