// Stack and inbox under several threads: for ThreadSanitizer.
#include <atomic>
#include <thread>
#include <vector>

#include "lockfree/mpsc_inbox.h"
#include "lockfree/tagged_stack.h"
#include "support/catch.h"

using namespace barewire::lockfree;

TEST_CASE("stack stress: an index has one owner at a time", "[stress]") {
    constexpr std::uint32_t size = 4;
    TaggedStack<> stack;
    std::atomic<std::uint32_t> links[size];
    long bait[size] = {};  // plain: two owners would race on it
    const auto link = [&](std::uint32_t i) -> auto& { return links[i]; };
    for (std::uint32_t i = 0; i < size; ++i) stack.push(i, link);
    std::atomic<long> taken{0};
    std::vector<std::thread> crew;
    for (int id = 0; id < 4; ++id) {
        crew.emplace_back([&, id] {
            for (int i = 0; i < 30000; ++i) {
                if (id == 0 && i % 64 == 0) {
                    std::uint32_t index = stack.take_all();
                    while (index != stack.none) {
                        const std::uint32_t below = links[index].load(std::memory_order_relaxed);
                        ++bait[index];
                        ++taken;
                        stack.push(index, link);
                        index = below;
                    }
                    continue;
                }
                const std::uint32_t index = stack.pop(link);
                if (index == stack.none) continue;
                ++bait[index];
                ++taken;
                stack.push(index, link);
            }
        });
    }
    for (std::thread& thread : crew) thread.join();
    long sum = 0;
    for (long count : bait) sum += count;
    CHECK(sum == taken);
    std::uint32_t left = 0;
    while (stack.pop(link) != stack.none) ++left;
    CHECK(left == size);
}

TEST_CASE("inbox stress: three producers, each in order, refused ones stay theirs", "[stress]") {
    struct Letter : InboxNode {
        int producer = 0;
        int number = 0;
    };
    constexpr int count = 20000;
    MpscInbox<> inbox;
    std::vector<std::vector<Letter>> letters(3);
    for (auto& each : letters) each = std::vector<Letter>(count);
    std::atomic<int> refused{0}, running{3};
    std::vector<std::thread> producers;
    for (int id = 0; id < 3; ++id) {
        producers.emplace_back([&, id] {
            for (int i = 0; i < count; ++i) {
                letters[id][i].producer = id;
                letters[id][i].number = i;
                if (inbox.push(letters[id][i]) == Pushed::closed) ++refused;
            }
            --running;
        });
    }
    int next[3] = {};
    int wrong = 0, got = 0;
    const auto read = [&](InboxNode* node) {
        for (; node; node = node->inbox_next) {
            auto* letter = static_cast<Letter*>(node);
            wrong += letter->number != next[letter->producer]++;
            ++got;
        }
    };
    while (got < count) {
        read(inbox.take_all());
        std::this_thread::yield();
    }
    read(inbox.close());
    for (std::thread& thread : producers) thread.join();
    CHECK(wrong == 0);
    CHECK(got + refused == 3 * count);
}
