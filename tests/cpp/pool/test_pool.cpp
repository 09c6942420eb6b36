// Pool on one thread: who gets which slot, fairness, generations, closing, figures.
#include "pool/pool.h"

#include <vector>

#include "support/catch.h"

using namespace barewire::pool;
using namespace std::chrono_literals;

namespace {

struct Wire {
    bool open = false;
    int closes = 0;
    void close() noexcept {
        open = false;
        ++closes;
    }
};
using WirePool = Pool<Wire>;

struct Recorder final : WirePool::Waiter {
    void grant(Wire& wire, bool connected) noexcept override {
        got = &wire;
        was_connected = connected;
        ++grants;
    }
    Wire* got = nullptr;
    bool was_connected = false;
    int grants = 0;
};

std::vector<Wire*> open_all(WirePool& pool) {
    std::vector<Wire*> wires;
    while (Wire* wire = pool.try_reserve()) {
        wire->open = true;
        wires.push_back(wire);
    }
    return wires;
}

void give_back(WirePool& pool, const std::vector<Wire*>& wires) {
    for (Wire* wire : wires) pool.discard(*wire);
}

const auto nobody = [](WirePool::Waiter&) { FAIL("nobody waits"); };

}  // namespace

TEST_CASE("pool: reserves up to its size and gives the warmest first", "[pool]") {
    WirePool pool(3);
    CHECK(pool.try_acquire() == nullptr);
    auto wires = open_all(pool);
    REQUIRE(wires.size() == 3);
    CHECK(pool.stats().claimed == 3);
    for (Wire* wire : wires) pool.release(*wire);
    CHECK(pool.stats().idle == 3);
    CHECK(pool.try_reserve() == nullptr);  // all slots are connected
    CHECK(pool.try_acquire() == wires[2]);
    pool.release(*wires[2]);
    CHECK(pool.try_acquire() == wires[2]);
    CHECK(pool.try_acquire() == wires[1]);
    pool.discard(*wires[1]);
    CHECK(pool.try_reserve() == wires[1]);
    CHECK(pool.stats().claims == 7);
    CHECK(WirePool::index_of(*wires[2]) == 2);
    give_back(pool, {wires[1], wires[2]});
}

TEST_CASE("pool: size is clamped", "[pool]") {
    CHECK(WirePool(0).max_size() == 1);
    CHECK(WirePool(1'000'000).max_size() == 65535);
    WirePool pool(65535);
    CHECK(open_all(pool).size() == 65535);
    CHECK(pool.stats().claimed == 65535);
    WirePool tiny(1);
    CHECK(open_all(tiny).size() == 1);
}

TEST_CASE("pool: waiters are served in order, with connections or empty slots", "[pool]") {
    WirePool pool(2);
    auto wires = open_all(pool);
    Recorder first, second, third;
    WirePool::Claim claim;
    CHECK(pool.acquire(first, claim) == Waiting::queued);
    CHECK(pool.wait(second, claim) == Waiting::queued);
    CHECK(pool.wait(third, claim) == Waiting::queued);
    CHECK(pool.waiting() == 3);
    pool.release(*wires[0]);
    CHECK(first.got == wires[0]);
    CHECK(first.was_connected);
    CHECK(second.grants == 0);
    CHECK(pool.cancel(second));
    CHECK_FALSE(pool.cancel(second));
    CHECK_FALSE(pool.cancel(first));
    pool.discard(*wires[1]);
    CHECK(third.got == wires[1]);
    CHECK_FALSE(third.was_connected);
    CHECK(second.grants == 0);
    CHECK(pool.waiting() == 0);
    CHECK_FALSE(claim);
    give_back(pool, wires);
}

TEST_CASE("pool: wait fills the claim at once when something is free", "[pool]") {
    WirePool pool(1);
    Recorder waiter;
    WirePool::Claim claim;
    REQUIRE(pool.wait(waiter, claim) == Waiting::granted);
    CHECK(claim.connection != nullptr);
    CHECK_FALSE(claim.connected);
    pool.release(*claim.connection);
    WirePool::Claim again;
    REQUIRE(pool.wait(waiter, again) == Waiting::granted);
    CHECK(again.connection == claim.connection);
    CHECK(again.connected);
    CHECK(waiter.grants == 0);
    CHECK(pool.waiting() == 0);
    pool.discard(*again.connection);
}

TEST_CASE("pool: a waiter may release or wait again from inside grant", "[pool]") {
    struct Hot final : WirePool::Waiter {
        explicit Hot(WirePool& pool_) : pool(pool_) {}
        void grant(Wire& wire, bool) noexcept override {
            ++grants;
            pool.release(wire);
        }
        WirePool& pool;
        int grants = 0;
    };
    WirePool pool(1);
    Wire* wire = pool.try_reserve();
    Hot a(pool), b(pool), c(pool);
    WirePool::Claim claim;
    for (Hot* hot : {&a, &b, &c}) REQUIRE(pool.wait(*hot, claim) == Waiting::queued);
    pool.release(*wire);
    CHECK(a.grants + b.grants + c.grants == 3);
    CHECK(pool.stats().idle == 1);
}

TEST_CASE("pool: nobody overtakes a queue", "[pool]") {
    WirePool pool(1);
    Wire* wire = pool.try_reserve();
    Recorder waiter;
    WirePool::Claim claim;
    REQUIRE(pool.wait(waiter, claim) == Waiting::queued);
    CHECK(pool.try_acquire() == nullptr);
    CHECK(pool.try_reserve() == nullptr);
    pool.release(*wire);
    CHECK(waiter.got == wire);
    pool.release(*wire);
    CHECK(pool.try_acquire() == wire);
    pool.discard(*wire);
}

TEST_CASE("pool: expired waiters are taken out, others stay", "[pool]") {
    WirePool pool(1);
    Wire* wire = pool.try_reserve();
    Recorder soon, late;
    soon.deadline = TimePoint{} + 1s;
    late.deadline = TimePoint{} + 9s;
    WirePool::Claim claim;
    REQUIRE(pool.wait(late, claim) == Waiting::queued);
    REQUIRE(pool.wait(soon, claim) == Waiting::queued);
    CHECK(pool.next_deadline() == TimePoint{} + 1s);
    std::vector<WirePool::Waiter*> expired;
    pool.expire(TimePoint{} + 2s, [&](WirePool::Waiter& waiter) { expired.push_back(&waiter); });
    CHECK(expired == std::vector<WirePool::Waiter*>{&soon});
    CHECK_FALSE(pool.cancel(soon));
    CHECK(pool.waiting() == 1);
    pool.release(*wire);
    CHECK(late.got == wire);
    pool.discard(*wire);
}

TEST_CASE("pool: clear closes idle connections now and others on release", "[pool]") {
    WirePool pool(3);
    auto wires = open_all(pool);
    pool.release(*wires[0]);
    pool.clear();
    CHECK(wires[0]->closes == 1);
    CHECK(pool.generation() == 1);
    CHECK(pool.try_acquire() == nullptr);
    pool.release(*wires[1]);
    CHECK(wires[1]->closes == 1);
    CHECK(pool.try_acquire() == nullptr);
    // The slot is of the new generation once it is reserved again.
    Wire* fresh = pool.try_reserve();
    REQUIRE(fresh != nullptr);
    fresh->open = true;
    pool.release(*fresh);
    CHECK(fresh->open);
    CHECK(pool.try_acquire() == fresh);
    // A stale connection handed back while somebody waits is granted as an empty slot.
    Wire* other = pool.try_reserve();
    Recorder waiter;
    WirePool::Claim claim;
    REQUIRE(pool.wait(waiter, claim) == Waiting::queued);
    pool.release(*wires[2]);
    CHECK(wires[2]->closes == 1);
    CHECK(waiter.got == wires[2]);
    CHECK_FALSE(waiter.was_connected);
    give_back(pool, {fresh, other, wires[2]});
}

TEST_CASE("pool: drain_idle keeps what it is told to keep, in order", "[pool]") {
    WirePool pool(4);
    auto wires = open_all(pool);
    for (Wire* wire : wires) pool.release(*wire);
    CHECK(pool.drain_idle([&](Wire& wire) { return &wire != wires[1] && &wire != wires[3]; }) == 2);
    CHECK(wires[1]->closes == 1);
    CHECK(wires[3]->closes == 1);
    CHECK(pool.try_acquire() == wires[2]);
    CHECK(pool.try_acquire() == wires[0]);
    CHECK(pool.try_acquire() == nullptr);
    CHECK(pool.stats().idle == 0);
    give_back(pool, {wires[0], wires[2]});
}

TEST_CASE("pool: a closed pool hands nothing out and keeps nothing", "[pool]") {
    WirePool pool(2);
    auto wires = open_all(pool);
    Recorder waiter, later;
    WirePool::Claim claim;
    REQUIRE(pool.wait(waiter, claim) == Waiting::queued);
    int dismissed = 0;
    pool.close([&](WirePool::Waiter& w) { dismissed += &w == &waiter; });
    CHECK(dismissed == 1);
    CHECK(pool.closed());
    CHECK(pool.wait(later, claim) == Waiting::closed);
    CHECK(pool.acquire(later, claim) == Waiting::closed);
    pool.release(*wires[0]);
    CHECK(wires[0]->closes == 1);
    pool.discard(*wires[1]);
    CHECK(pool.try_acquire() == nullptr);
    CHECK(pool.try_reserve() == nullptr);
    pool.close(nobody);
    CHECK(pool.stats().idle == 0);
    CHECK(pool.stats().claimed == 0);
}

TEST_CASE("pool: dismissed waiters are never granted", "[pool]") {
    WirePool pool(1);
    Wire* wire = pool.try_reserve();
    Recorder a, b;
    WirePool::Claim claim;
    REQUIRE(pool.wait(a, claim) == Waiting::queued);
    REQUIRE(pool.wait(b, claim) == Waiting::queued);
    int count = 0;
    pool.dismiss_waiters([&](WirePool::Waiter&) { ++count; });
    CHECK(count == 2);
    pool.release(*wire);
    CHECK(a.grants + b.grants == 0);
    CHECK(pool.stats().idle == 1);
    int visited = 0;
    pool.for_each_slot([&](Wire& w, SlotState state) {
        ++visited;
        CHECK(&w == wire);
        CHECK(state == SlotState::idle);
    });
    CHECK(visited == 1);
}

TEST_CASE("pool: waiters for connections only are served by whoever connects", "[pool]") {
    WirePool pool(2, Grants::connected);
    Recorder first, second;
    WirePool::Claim claim;
    // Empty slots are free, but nobody is granted one.
    REQUIRE(pool.wait(first, claim) == Waiting::queued);
    REQUIRE(pool.wait(second, claim) == Waiting::queued);
    CHECK(pool.try_reserve() == nullptr);
    Wire* wire = pool.reserve_for_connecting();
    REQUIRE(wire != nullptr);
    Wire* failed = pool.reserve_for_connecting();
    REQUIRE(failed != nullptr);
    CHECK(pool.reserve_for_connecting() == nullptr);
    pool.discard(*failed);
    CHECK(first.grants == 0);
    pool.release(*wire);
    CHECK(first.got == wire);
    CHECK(first.was_connected);
    CHECK(second.grants == 0);
    pool.release(*wire);
    CHECK(second.got == wire);
    pool.discard(*wire);
    CHECK(pool.stats().claimed == 0);
}
