// Pool under every interleaving of two operations (three with up to two preemptions): each slot has one owner, no wake-up is
// lost, nothing stale or closed stays behind. The search must find the lost wake-up when the second look is left out.
#include <memory>
#include <string>
#include <vector>

#include "pool/pool.h"
#include "support/catch.h"
#include "support/interleave.h"

using namespace barewire::pool;

namespace {

struct Wire {
    bool open = false;
    unsigned owners = 0;
    void close() noexcept { open = false; }
};

template <bool CheckAgain>
struct World {
    using TestPool = Pool<Wire, interleave::Platform, CheckAgain>;

    struct Recorder final : TestPool::Waiter {
        void grant(Wire& wire, bool connected) noexcept override { world->got(wire, connected, *this); }
        World* world = nullptr;
        int grants = 0;
        bool queued = false;
        Wire* wire = nullptr;
    };

    explicit World(std::uint32_t size) : pool(size) {
        for (Recorder& recorder : waiters) recorder.world = this;
    }

    void fail(const char* text) {
        if (failure.empty()) failure = text;
    }
    void own(Wire& wire, bool connected) {
        if (++wire.owners != 1) fail("two owners");
        if (connected != wire.open) fail("claimed as connected and is not, or the other way round");
        wire.open = true;
    }
    void got(Wire& wire, bool connected, Recorder& recorder) {
        own(wire, connected);
        if (++recorder.grants != 1) fail("granted twice");
        recorder.wire = &wire;
    }
    void wait(int i) {
        typename TestPool::Claim claim;
        Recorder& recorder = waiters[i];
        switch (pool.wait(recorder, claim)) {
            case Waiting::queued: recorder.queued = true; break;
            case Waiting::granted: got(*claim.connection, claim.connected, recorder); break;
            case Waiting::closed: break;
        }
    }
    void release(Wire& wire) {
        if (--wire.owners != 0) fail("not the owner");
        pool.release(wire);
    }
    void discard(Wire& wire) {
        if (--wire.owners != 0) fail("not the owner");
        wire.open = false;
        pool.discard(wire);
    }
    Wire* acquire() {
        Wire* wire = pool.try_acquire();
        if (wire) own(*wire, true);
        return wire;
    }
    Wire* reserve() {
        Wire* wire = pool.try_reserve();
        if (wire) own(*wire, false);
        return wire;
    }

    // After all threads are done.
    std::string check() {
        if (!failure.empty()) return failure;
        bool waiting = false;
        for (Recorder& recorder : waiters) {
            if (pool.cancel(recorder)) {
                waiting = true;
                if (recorder.grants) return "granted and still queued";
            }
        }
        pool.for_each_slot([&](Wire& wire, SlotState) {
            const auto& slot = static_cast<Slot<Wire, interleave::Platform>&>(wire);
            if (wire.open && !wire.owners && slot.generation != pool.generation()) fail("stale connection left open");
        });
        if (pool.closed()) {
            // Whoever still owns something gives it back: nothing may stay.
            pool.for_each_slot([&](Wire& wire, SlotState) {
                if (wire.owners) release(wire);
            });
        }
        std::uint32_t free = 0, owned = 0;
        while (acquire()) ++free;
        if (pool.closed() && free) return "idle connection in a closed pool";
        while (reserve()) ++free;
        pool.for_each_slot([&](Wire& wire, SlotState) { owned += wire.owners; });
        if (waiting && free) return "lost wake-up: a slot is free and somebody waits";
        if (!pool.closed() && owned != pool.max_size()) return "slot lost";
        return failure;
    }

    TestPool pool;
    Recorder waiters[2];
    std::string failure;
};

using Threads = std::vector<std::function<void()>>;

template <bool CheckAgain = true, class Prepare>
interleave::Result search(std::uint32_t size, unsigned preemptions, Prepare prepare) {
    const interleave::Result result = interleave::Scheduler::search(
        [&] {
            auto world = std::make_shared<World<CheckAgain>>(size);
            interleave::Scheduler::Scene scene;
            for (auto& body : prepare(*world)) scene.threads.push_back(body);
            scene.check = [world] { return world->check(); };
            return scene;
        },
        preemptions);
    INFO(result.first_failure);
    INFO(result.runs);
    if (CheckAgain) CHECK(result.failures == 0);
    CHECK(result.runs > 30);
    return result;
}

constexpr unsigned all = ~0u;

}  // namespace

TEST_CASE("pool interleavings: release against wait", "[pool]" INTERLEAVINGS) {
    search(1, all, [](auto& world) {
        Wire* wire = world.reserve();
        return Threads{[&world, wire] { world.release(*wire); }, [&world] { world.wait(0); }};
    });
}

TEST_CASE("pool interleavings: the search finds the lost wake-up without the second look", "[pool]" INTERLEAVINGS) {
    const auto result = search<false>(1, all, [](auto& world) {
        Wire* wire = world.reserve();
        return Threads{[&world, wire] { world.release(*wire); }, [&world] { world.wait(0); }};
    });
    CHECK(result.failures > 0);
    CHECK(result.first_failure.find("lost wake-up") == 0);
}

TEST_CASE("pool interleavings: discard against wait", "[pool]" INTERLEAVINGS) {
    search(1, all, [](auto& world) {
        Wire* wire = world.reserve();
        return Threads{[&world, wire] { world.discard(*wire); }, [&world] { world.wait(0); }};
    });
}

TEST_CASE("pool interleavings: release against wait and cancel", "[pool]" INTERLEAVINGS) {
    search(1, all, [](auto& world) {
        Wire* wire = world.reserve();
        return Threads{[&world, wire] { world.release(*wire); },
                       [&world] {
                           world.wait(0);
                           auto& waiter = world.waiters[0];
                           if (waiter.queued && world.pool.cancel(waiter) && waiter.grants) world.fail("both");
                       }};
    });
}

TEST_CASE("pool interleavings: release against clear", "[pool]" INTERLEAVINGS) {
    search(1, all, [](auto& world) {
        Wire* wire = world.reserve();
        return Threads{[&world, wire] { world.release(*wire); },
                       [&world] {
                           world.pool.clear();
                           // Whatever is acquired after clear() has returned is of the new generation.
                           if (world.acquire()) world.fail("stale connection acquired");
                       }};
    });
}

TEST_CASE("pool interleavings: clear leaves no open connection behind", "[pool]" INTERLEAVINGS) {
    search(2, all, [](auto& world) {
        Wire* wire = world.reserve();
        world.release(*wire);
        Wire* used = world.acquire();
        return Threads{[&world, used] { world.release(*used); },
                       [&world] { world.pool.clear(); }};
    });
}

TEST_CASE("pool interleavings: two releases, two waiters", "[pool]" INTERLEAVINGS) {
    search(2, 2, [](auto& world) {
        Wire* a = world.reserve();
        Wire* b = world.reserve();
        return Threads{[&world, a] { world.release(*a); }, [&world, b] { world.release(*b); },
                       [&world] { world.wait(0); }, [&world] { world.wait(1); }};
    });
}

TEST_CASE("pool interleavings: release, wait and a third who tries to overtake", "[pool]" INTERLEAVINGS) {
    search(1, 3, [](auto& world) {
        Wire* wire = world.reserve();
        return Threads{[&world, wire] { world.release(*wire); }, [&world] { world.wait(0); },
                       [&world] {
                           if (Wire* w = world.acquire()) world.release(*w);
                       }};
    });
}

TEST_CASE("pool interleavings: discard, release, wait and reserve", "[pool]" INTERLEAVINGS) {
    search(2, 2, [](auto& world) {
        Wire* a = world.reserve();
        Wire* b = world.reserve();
        return Threads{[&world, a] { world.discard(*a); }, [&world, b] { world.release(*b); }, [&world] { world.wait(0); },
                       [&world] {
                           if (Wire* w = world.reserve()) world.release(*w);
                       }};
    });
}

TEST_CASE("pool interleavings: clear, release and wait", "[pool]" INTERLEAVINGS) {
    search(1, 3, [](auto& world) {
        Wire* wire = world.reserve();
        return Threads{[&world, wire] { world.release(*wire); }, [&world] { world.pool.clear(); },
                       [&world] { world.wait(0); }};
    });
}

TEST_CASE("pool interleavings: drain_idle against acquire and wait", "[pool]" INTERLEAVINGS) {
    const bool keep = GENERATE(true, false);
    search(2, 3, [keep](auto& world) {
        Wire* a = world.reserve();
        Wire* b = world.reserve();
        world.release(*a);
        world.release(*b);
        return Threads{[&world, keep] { world.pool.drain_idle([keep](Wire&) { return keep; }); },
                       [&world] { world.wait(0); },
                       [&world] {
                           if (Wire* w = world.acquire()) world.discard(*w);
                       }};
    });
}

TEST_CASE("pool interleavings: close against release, reserve and wait", "[pool]" INTERLEAVINGS) {
    search(2, 2, [](auto& world) {
        Wire* a = world.reserve();
        return Threads{[&world] { world.pool.close([](auto&) {}); }, [&world, a] { world.release(*a); },
                       [&world] {
                           if (Wire* w = world.reserve()) world.release(*w);
                       },
                       [&world] { world.wait(0); }};
    });
}

TEST_CASE("pool interleavings: close against a stale release with a queue", "[pool]" INTERLEAVINGS) {
    search(1, 2, [](auto& world) {
        Wire* a = world.reserve();
        world.wait(0);
        world.wait(1);
        return Threads{[&world] { world.pool.close([](auto&) {}); }, [&world, a] { world.release(*a); },
                       [&world] { world.pool.clear(); }};
    });
}
