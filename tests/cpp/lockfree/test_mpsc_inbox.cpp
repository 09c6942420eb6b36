// MpscInbox: order, closing, and every interleaving of the wake-up protocol.
#include "lockfree/mpsc_inbox.h"

#include <memory>
#include <vector>

#include "support/catch.h"
#include "support/interleave.h"

using namespace barewire::lockfree;

TEST_CASE("inbox: oldest first, first push wakes", "[lockfree]") {
    MpscInbox<> inbox;
    InboxNode a, b, c;
    CHECK(inbox.take_all() == nullptr);
    CHECK(inbox.push(a) == Pushed::first);
    CHECK(inbox.push(b) == Pushed::behind);
    InboxNode* node = inbox.take_all();
    REQUIRE(node == &a);
    REQUIRE(node->inbox_next == &b);
    REQUIRE(b.inbox_next == nullptr);
    CHECK(inbox.push(c) == Pushed::first);
    CHECK(inbox.close() == &c);
    CHECK(inbox.push(a) == Pushed::closed);
    CHECK(inbox.take_all() == nullptr);
    CHECK(inbox.close() == nullptr);
}

TEST_CASE("inbox: nothing lies there unseen without a wake-up", "[lockfree]" INTERLEAVINGS) {
    struct World {
        MpscInbox<interleave::Platform> inbox;
        interleave::Atomic<int> wakes{0};
        InboxNode nodes[2];
        int taken = 0, closed = 0, seen = 0;
    };
    bool with_close = GENERATE(false, true);
    const interleave::Result result = interleave::Scheduler::search([&] {
        auto world = std::make_shared<World>();
        interleave::Scheduler::Scene scene;
        for (int i = 0; i < 2; ++i) {
            scene.threads.push_back([world, i] {
                const Pushed pushed = world->inbox.push(world->nodes[i]);
                if (pushed == Pushed::first) world->wakes.fetch_add(1);
                if (pushed == Pushed::closed) ++world->closed;
            });
        }
        scene.threads.push_back([world, with_close] {
            // One drain: the wake-up is consumed before the inbox is emptied.
            world->seen = world->wakes.load();
            for (InboxNode* n = world->inbox.take_all(); n; n = n->inbox_next) ++world->taken;
            if (!with_close) return;
            for (InboxNode* n = world->inbox.close(); n; n = n->inbox_next) ++world->taken;
        });
        scene.check = [world, with_close]() -> std::string {
            int left = 0;
            for (InboxNode* n = world->inbox.take_all(); n; n = n->inbox_next) ++left;
            if (with_close && left) return "left behind after close";
            if (left && world->wakes.load() == world->seen) return "no wake-up for what lies there";
            return left + world->taken + world->closed == 2 ? "" : "lost";
        };
        return scene;
    });
    INFO(result.first_failure);
    CHECK(result.failures == 0);
    CHECK(result.runs > 50);
}
