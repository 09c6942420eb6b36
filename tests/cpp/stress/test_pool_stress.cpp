// Pool under eight threads that acquire, release, discard, wait, cancel, clear and drain: for ThreadSanitizer. The plain
// fields of a connection are the bait: two owners at once are a data race on them.
#include <atomic>
#include <random>
#include <thread>
#include <vector>

#include "net/blocking.h"
#include "pool/pool.h"
#include "support/catch.h"

using namespace barewire;
using namespace std::chrono_literals;

namespace {

struct Wire {
    bool open = false;
    long uses = 0;
    void close() noexcept {
        open = false;
        ++uses;
    }
};
using WirePool = pool::Pool<Wire>;

struct Patience final : net::Interrupt {
    bool interrupted() noexcept override { return false; }
};

// A blocking caller's waiter.
struct Sleeper final : WirePool::Waiter {
    void grant(Wire& wire, bool connected) noexcept override {
        claim = {&wire, connected};
        signal.notify();
    }
    WirePool::Claim claim;
    net::Signal signal;
};

// Waits up to `patience`, as a blocking caller does; an empty claim after a timeout.
WirePool::Claim acquire(WirePool& pool, std::chrono::microseconds patience) {
    Sleeper sleeper;
    Patience none;
    WirePool::Claim claim;
    switch (pool.acquire(sleeper, claim)) {
        case pool::Waiting::granted: return claim;
        case pool::Waiting::closed: return {};
        case pool::Waiting::queued: break;
    }
    if (sleeper.signal.wait(std::chrono::steady_clock::now() + patience, none) == net::Waited::ready) return sleeper.claim;
    if (pool.cancel(sleeper)) return {};
    // Granted meanwhile; the grant is on its way.
    sleeper.signal.wait(std::chrono::steady_clock::time_point::max(), none);
    return sleeper.claim;
}

}  // namespace

TEST_CASE("pool stress: eight threads on three slots", "[stress]") {
    constexpr int threads = 8, rounds = 4000;
    WirePool pool(3);
    std::atomic<int> owners{0}, most{0}, errors{0}, served{0};
    std::vector<std::thread> crew;
    for (int id = 0; id < threads; ++id) {
        crew.emplace_back([&, id] {
            std::mt19937 random(static_cast<unsigned>(id));
            for (int i = 0; i < rounds; ++i) {
                // One in eight is impatient, so that cancellation meets grants.
                WirePool::Claim claim = acquire(pool, random() % 8 ? 10s : std::chrono::microseconds(random() % 40));
                if (!claim) continue;
                Wire& wire = *claim.connection;
                const int now = ++owners;
                int seen = most;
                while (now > seen && !most.compare_exchange_weak(seen, now)) {
                }
                if (wire.open != claim.connected) ++errors;
                wire.open = true;
                ++wire.uses;
                if (random() % 4 == 0) std::this_thread::yield();
                --owners;
                ++served;
                if (random() % 16 == 0) {
                    wire.open = false;
                    pool.discard(wire);
                } else {
                    pool.release(wire);
                }
                if (random() % 64 == 0) pool.clear();
                if (random() % 64 == 0) pool.drain_idle([&](Wire&) { return random() % 2 == 0; });
                if (random() % 128 == 0 && pool.stats().max_size != 3) ++errors;
            }
        });
    }
    for (std::thread& thread : crew) thread.join();
    CHECK(errors == 0);
    CHECK(most <= 3);
    CHECK(served > threads * rounds / 2);
    CHECK(pool.waiting() == 0);
    CHECK(pool.stats().claimed == 0);
    int free = 0;
    while (pool.try_acquire() || pool.try_reserve()) ++free;
    CHECK(free == 3);
}

TEST_CASE("pool stress: every thread waits with one slot, nobody is forgotten", "[stress]") {
    constexpr int threads = 4, rounds = 4000;
    WirePool pool(1);
    std::atomic<int> served{0};
    std::vector<std::thread> crew;
    for (int id = 0; id < threads; ++id) {
        crew.emplace_back([&] {
            for (int i = 0; i < rounds; ++i) {
                // A lost wake-up would end in a timeout and be missing in the sum.
                if (WirePool::Claim claim = acquire(pool, 20s)) {
                    ++claim.connection->uses;
                    claim.connection->open = true;
                    ++served;
                    pool.release(*claim.connection);
                }
            }
        });
    }
    for (std::thread& thread : crew) thread.join();
    CHECK(served == threads * rounds);
}

TEST_CASE("pool stress: closing under load", "[stress]") {
    for (int round = 0; round < 100; ++round) {
        WirePool pool(2);
        std::atomic<int> refused{0};
        std::vector<std::thread> crew;
        for (int id = 0; id < 4; ++id) {
            crew.emplace_back([&] {
                Patience none;
                for (;;) {
                    Sleeper sleeper;
                    WirePool::Claim claim;
                    const pool::Waiting waiting = pool.acquire(sleeper, claim);
                    if (waiting == pool::Waiting::closed) break;
                    if (waiting == pool::Waiting::queued) {
                        sleeper.signal.wait(std::chrono::steady_clock::time_point::max(), none);
                        claim = sleeper.claim;
                    }
                    if (!claim) break;  // dismissed
                    claim.connection->open = true;
                    ++claim.connection->uses;
                    pool.release(*claim.connection);
                }
                ++refused;
            });
        }
        std::this_thread::sleep_for(std::chrono::microseconds(round * 10));
        pool.close([](WirePool::Waiter& waiter) { static_cast<Sleeper&>(waiter).signal.notify(); });
        for (std::thread& thread : crew) thread.join();
        CHECK(refused == 4);
        CHECK(pool.stats().claimed == 0);
        CHECK(pool.stats().idle == 0);
        pool.for_each_slot([](Wire& wire, pool::SlotState) { CHECK_FALSE(wire.open); });
    }
}
