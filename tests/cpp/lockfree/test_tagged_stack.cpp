// TaggedStack: order, and every interleaving of small programs; the search must find the ABA error when the tag is off.
#include "lockfree/tagged_stack.h"

#include <array>
#include <memory>
#include <vector>

#include "support/catch.h"
#include "support/interleave.h"

using namespace barewire::lockfree;

namespace {

template <std::uint32_t TagStep>
struct World {
    using Stack = TaggedStack<interleave::Platform, TagStep>;
    static constexpr std::uint32_t size = 3;

    World() {
        for (std::uint32_t i = size; i-- > 0;) push(i);
    }
    interleave::Atomic<std::uint32_t>& link(std::uint32_t index) { return links[index]; }
    void push(std::uint32_t index) {
        stack.push(index, [this](std::uint32_t i) -> auto& { return link(i); });
    }
    std::uint32_t pop() {
        return stack.pop([this](std::uint32_t i) -> auto& { return link(i); });
    }
    void take(int thread) {
        const std::uint32_t index = pop();
        if (index != Stack::none) held[thread].push_back(index);
    }
    void give_oldest(int thread) {
        if (held[thread].empty()) return;
        const std::uint32_t index = held[thread].front();
        held[thread].erase(held[thread].begin());
        push(index);
    }
    // Every index must be at exactly one place.
    std::string check() {
        std::array<int, size> seen{};
        for (int guard = 0; guard < 10; ++guard) {
            const std::uint32_t index = pop();
            if (index == Stack::none) break;
            ++seen[index];
        }
        for (const auto& thread : held) {
            for (std::uint32_t index : thread) ++seen[index];
        }
        for (int count : seen) {
            if (count != 1) return count ? "index owned twice" : "index lost";
        }
        return {};
    }

    Stack stack;
    std::array<interleave::Atomic<std::uint32_t>, size> links;
    std::vector<std::uint32_t> held[3];
};

template <std::uint32_t TagStep>
interleave::Result search_aba() {
    return interleave::Scheduler::search([] {
        auto world = std::make_shared<World<TagStep>>();
        interleave::Scheduler::Scene scene;
        scene.threads.push_back([world] { world->take(0); });
        scene.threads.push_back([world] {
            world->take(1);
            world->take(1);
            world->give_oldest(1);
        });
        scene.check = [world] { return world->check(); };
        return scene;
    });
}

}  // namespace

TEST_CASE("tagged stack: last in, first out", "[lockfree]") {
    TaggedStack<> stack;
    std::array<std::atomic<std::uint32_t>, 4> links;
    const auto link = [&](std::uint32_t i) -> auto& { return links[i]; };
    CHECK(stack.empty());
    CHECK(stack.pop(link) == stack.none);
    CHECK(stack.take_all() == stack.none);
    for (std::uint32_t i = 0; i < 4; ++i) stack.push(i, link);
    CHECK(stack.pop(link) == 3);
    stack.push(3, link);
    CHECK(stack.pop(link) == 3);
    CHECK(stack.take_all() == 2);
    CHECK(links[2] == 1);
    CHECK(links[1] == 0);
    CHECK(links[0] == stack.none);
    CHECK(stack.empty());
}

TEST_CASE("tagged stack: all interleavings of pop against pop pop push", "[lockfree]" INTERLEAVINGS) {
    const interleave::Result result = search_aba<1>();
    INFO(result.first_failure);
    CHECK(result.failures == 0);
    CHECK(result.runs > 200);
}

TEST_CASE("tagged stack: the search finds the ABA error of an untagged stack", "[lockfree]" INTERLEAVINGS) {
    const interleave::Result result = search_aba<0>();
    INFO(result.runs);
    CHECK(result.failures > 0);
}

TEST_CASE("tagged stack: three threads pop and push, up to three preemptions", "[lockfree]" INTERLEAVINGS) {
    const interleave::Result result = interleave::Scheduler::search(
        [] {
            auto world = std::make_shared<World<1>>();
            interleave::Scheduler::Scene scene;
            for (int thread = 0; thread < 3; ++thread) {
                scene.threads.push_back([world, thread] {
                    world->take(thread);
                    if (thread == 0) world->take(thread);
                    world->give_oldest(thread);
                });
            }
            scene.check = [world] { return world->check(); };
            return scene;
        },
        3);
    INFO(result.first_failure);
    CHECK(result.failures == 0);
    CHECK(result.runs > 1000);
}

TEST_CASE("tagged stack: take_all against pop and push", "[lockfree]" INTERLEAVINGS) {
    const interleave::Result result = interleave::Scheduler::search([] {
        auto world = std::make_shared<World<1>>();
        interleave::Scheduler::Scene scene;
        scene.threads.push_back([world] {
            std::uint32_t index = world->stack.take_all();
            while (index != World<1>::Stack::none) {
                world->held[0].push_back(index);
                index = world->links[index].load();
            }
        });
        scene.threads.push_back([world] {
            world->take(1);
            world->give_oldest(1);
        });
        scene.check = [world] { return world->check(); };
        return scene;
    });
    INFO(result.first_failure);
    CHECK(result.failures == 0);
    CHECK(result.runs > 100);
}
