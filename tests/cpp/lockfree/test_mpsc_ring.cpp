// MpscRing: bounds, order, and every interleaving of two producers with the consumer.
#include "lockfree/mpsc_ring.h"

#include <memory>
#include <vector>

#include "support/catch.h"
#include "support/interleave.h"

using namespace barewire::lockfree;

TEST_CASE("ring: bounded, first in, first out, over many laps", "[lockfree]") {
    MpscRing<int> ring(3);
    REQUIRE(ring.capacity() == 4);
    int value = 0;
    CHECK_FALSE(ring.try_pop(value));
    for (int lap = 0; lap < 10; ++lap) {
        for (int i = 0; i < 4; ++i) REQUIRE(ring.try_push(lap * 10 + i));
        CHECK_FALSE(ring.try_push(99));
        for (int i = 0; i < 4; ++i) {
            REQUIRE(ring.try_pop(value));
            CHECK(value == lap * 10 + i);
        }
        CHECK_FALSE(ring.try_pop(value));
    }
}

TEST_CASE("ring: nothing lost, doubled or out of a producer's order, up to three preemptions", "[lockfree]" INTERLEAVINGS) {
    struct World {
        MpscRing<int, interleave::Platform> ring{2};
        std::vector<int> pushed[2], popped;
        void pop() {
            int value;
            if (ring.try_pop(value)) popped.push_back(value);
        }
    };
    const interleave::Result result = interleave::Scheduler::search([] {
        auto world = std::make_shared<World>();
        REQUIRE(world->ring.try_push(1));  // one place left: producers meet a full ring in some orders
        world->popped.clear();
        interleave::Scheduler::Scene scene;
        for (int producer = 0; producer < 2; ++producer) {
            scene.threads.push_back([world, producer] {
                for (int i = 0; i < 2 - producer; ++i) {
                    const int value = 10 * (producer + 1) + i;
                    if (world->ring.try_push(value)) world->pushed[producer].push_back(value);
                }
            });
        }
        scene.threads.push_back([world] {
            world->pop();
            world->pop();
        });
        scene.check = [world]() -> std::string {
            for (int i = 0; i < 4; ++i) world->pop();
            if (world->popped.empty() || world->popped[0] != 1) return "first value lost";
            for (int producer = 0; producer < 2; ++producer) {
                std::vector<int> got;
                for (int value : world->popped) {
                    if (value / 10 == producer + 1) got.push_back(value);
                }
                if (got != world->pushed[producer]) return "producer's values differ";
            }
            return {};
        };
        return scene;
    }, 3);
    INFO(result.first_failure);
    CHECK(result.failures == 0);
    CHECK(result.runs > 1000);
}
