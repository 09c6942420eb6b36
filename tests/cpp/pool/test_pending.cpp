// PendingConnections: bounds, and every interleaving of waiters, discards and ends: nobody waits while a slot is empty and
// nobody connects.
#include "pool/pending.h"

#include <memory>
#include <string>
#include <vector>

#include "pool/pool.h"
#include "support/catch.h"
#include "support/interleave.h"

using namespace barewire::pool;

namespace {

struct Wire {
    void close() noexcept {}
};

struct World {
    using TestPool = Pool<Wire, interleave::Platform>;
    struct Recorder final : TestPool::Waiter {
        void grant(Wire& wire, bool) noexcept override { got = &wire; }
        Wire* got = nullptr;
    };

    explicit World(std::uint32_t size) : pool(size, Grants::connected) {}

    void connect(Wire& slot) {
        ++made;
        pool.release(slot);
        pending.end();
    }
    void replenish() {
        while (Wire* slot = pending.begin_for_waiter(pool, limit)) connect(*slot);
    }
    void wait(int i) {
        TestPool::Claim claim;
        if (pool.wait(waiters[i], claim) == Waiting::granted) waiters[i].got = claim.connection;
        else replenish();
    }
    void discard(Wire& wire) {
        pool.discard(wire);
        replenish();
    }
    std::string check() {
        if (pending.count() != 0) return "count is not back at zero";
        bool waiting = false;
        for (Recorder& waiter : waiters) waiting |= pool.cancel(waiter);
        const bool empty = pool.can_reserve();
        return waiting && empty ? "somebody waits, a slot is empty, nobody connects" : "";
    }

    TestPool pool;
    PendingConnections<TestPool, interleave::Platform> pending;
    std::uint32_t limit = 2;
    Recorder waiters[2];
    int made = 0;
};

using Threads = std::vector<std::function<void()>>;

template <class Prepare>
void search(std::uint32_t size, unsigned preemptions, Prepare prepare) {
    const interleave::Result result = interleave::Scheduler::search(
        [&] {
            auto world = std::make_shared<World>(size);
            interleave::Scheduler::Scene scene;
            for (auto& body : prepare(*world)) scene.threads.push_back(body);
            scene.check = [world] { return world->check(); };
            return scene;
        },
        preemptions);
    INFO(result.first_failure);
    CHECK(result.failures == 0);
    CHECK(result.runs > 30);
}

}  // namespace

TEST_CASE("pending: as many as wait, at most the limit and the slots", "[pool]") {
    struct Plain {
        void close() noexcept {}
    };
    using PlainPool = Pool<Plain>;
    struct Silent final : PlainPool::Waiter {
        void grant(Plain&, bool) noexcept override {}
    };
    PlainPool pool(3, Grants::connected);
    PendingConnections<PlainPool> pending;
    PlainPool::Claim claim;
    CHECK(pending.begin_for_waiter(pool, 2) == nullptr);  // nobody waits
    Plain* alone = pending.begin_alone(pool);
    REQUIRE(alone != nullptr);
    CHECK(pending.begin_alone(pool) == nullptr);
    Silent waiters[4];
    for (Silent& waiter : waiters) REQUIRE(pool.wait(waiter, claim) == Waiting::queued);
    Plain* second = pending.begin_for_waiter(pool, 2);
    REQUIRE(second != nullptr);
    CHECK(pending.begin_for_waiter(pool, 2) == nullptr);  // limit
    CHECK(pending.count() == 2);
    Plain* third = pending.begin_for_waiter(pool, 5);
    REQUIRE(third != nullptr);
    CHECK(pending.begin_for_waiter(pool, 5) == nullptr);  // no slot
    CHECK(pending.count() == 3);
    for (Plain* slot : {alone, second, third}) {
        pool.release(*slot);
        pending.end();
    }
    CHECK(pending.count() == 0);
    CHECK(pool.waiting() == 1);
    CHECK(pending.begin_for_waiter(pool, 2) == nullptr);
    CHECK(pool.cancel(waiters[3]));
}

TEST_CASE("pending interleavings: a discard while a waiter finds the pool full", "[pool]" INTERLEAVINGS) {
    search(1, 3, [](World& world) {
        Wire* wire = world.pool.try_reserve();
        return Threads{[&world, wire] { world.discard(*wire); }, [&world] { world.wait(0); }};
    });
}

TEST_CASE("pending interleavings: a probe in the way of a waiter", "[pool]" INTERLEAVINGS) {
    search(1, 2, [](World& world) {
        Wire* wire = world.pool.try_reserve();
        return Threads{[&world, wire] { world.discard(*wire); }, [&world] { world.wait(0); },
                       [&world] {
                           if (Wire* slot = world.pending.begin_alone(world.pool)) world.connect(*slot);
                           world.replenish();
                       }};
    });
}

TEST_CASE("pending interleavings: a connection ends while another waiter comes", "[pool]" INTERLEAVINGS) {
    search(2, 2, [](World& world) {
        world.limit = 1;
        return Threads{[&world] { world.wait(0); }, [&world] { world.wait(1); }};
    });
}
