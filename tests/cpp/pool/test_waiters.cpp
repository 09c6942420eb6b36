// WaiterQueue: order, removal anywhere, deadlines.
#include "pool/waiters.h"

#include "support/catch.h"

using namespace barewire::pool;
using namespace std::chrono_literals;

TEST_CASE("waiters: first in, first out, with removal anywhere", "[pool]") {
    WaiterQueue queue;
    WaiterNode a, b, c, d;
    CHECK(queue.pop_front() == nullptr);
    for (WaiterNode* node : {&a, &b, &c, &d}) queue.push_back(*node);
    CHECK(queue.size() == 4);
    CHECK(queue.remove(b));
    CHECK_FALSE(queue.remove(b));
    CHECK(queue.remove(d));
    CHECK(queue.pop_front() == &a);
    CHECK_FALSE(queue.remove(a));
    queue.push_back(b);
    CHECK(queue.pop_front() == &c);
    CHECK(queue.pop_front() == &b);
    CHECK(queue.pop_front() == nullptr);
    CHECK(queue.size() == 0);
    queue.push_back(a);
    CHECK(queue.remove(a));
    CHECK(queue.size() == 0);
}

TEST_CASE("waiters: deadlines expire in queue order, equal to now counts", "[pool]") {
    const TimePoint start{};
    WaiterQueue queue;
    WaiterNode late, never, early, exact;
    late.deadline = start + 10s;
    early.deadline = start + 1s;
    exact.deadline = start + 2s;
    CHECK(queue.next_deadline() == TimePoint::max());
    for (WaiterNode* node : {&late, &never, &early, &exact}) queue.push_back(*node);
    CHECK(queue.next_deadline() == start + 1s);
    CHECK(queue.pop_expired(start) == nullptr);
    CHECK(queue.pop_expired(start + 2s) == &early);
    CHECK(queue.pop_expired(start + 2s) == &exact);
    CHECK(queue.pop_expired(start + 2s) == nullptr);
    CHECK(queue.pop_expired(start + 1h) == &late);
    CHECK(queue.pop_expired(start + 1h) == nullptr);
    CHECK(queue.size() == 1);
    CHECK(queue.pop_front() == &never);
}
