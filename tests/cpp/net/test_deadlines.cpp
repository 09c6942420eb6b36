// Deadlines: order, moving, removal anywhere, against a sorted list.
#include "net/deadlines.h"

#include <algorithm>
#include <memory>
#include <random>
#include <vector>

#include "support/catch.h"

using namespace barewire::net;
using namespace std::chrono_literals;

namespace {

struct Alarm final : Deadline {
    void expired() noexcept override {}
    void abandoned() noexcept override {}
    Deadlines::TimePoint when;
};

const Deadlines::TimePoint start{};

}  // namespace

TEST_CASE("deadlines: earliest first, equal to now is due", "[net]") {
    Deadlines deadlines;
    Alarm a, b, c;
    CHECK(deadlines.empty());
    CHECK(deadlines.earliest() == Deadlines::TimePoint::max());
    REQUIRE(deadlines.arm(a, start + 3s));
    REQUIRE(deadlines.arm(b, start + 1s));
    REQUIRE(deadlines.arm(c, start + 2s));
    CHECK(deadlines.pop_due(start) == nullptr);
    CHECK(deadlines.pop_due(start + 1s) == &b);
    CHECK_FALSE(b.armed());
    REQUIRE(deadlines.arm(a, start + 1s));  // moved, not doubled
    deadlines.disarm(c);
    deadlines.disarm(c);
    CHECK(deadlines.pop_due(start + 9s) == &a);
    CHECK(deadlines.pop_due(start + 9s) == nullptr);
    CHECK(deadlines.empty());
}

TEST_CASE("deadlines: agree with a sorted list over random work", "[net]") {
    std::mt19937 random(7);
    Deadlines deadlines;
    std::vector<std::unique_ptr<Alarm>> alarms;
    for (int i = 0; i < 60; ++i) alarms.push_back(std::make_unique<Alarm>());
    for (int step = 0; step < 20000; ++step) {
        Alarm& alarm = *alarms[random() % alarms.size()];
        switch (random() % 3) {
            case 0:
            case 1:
                alarm.when = start + std::chrono::milliseconds(random() % 500);
                REQUIRE(deadlines.arm(alarm, alarm.when));
                break;
            default: deadlines.disarm(alarm);
        }
        auto earliest = Deadlines::TimePoint::max();
        for (const auto& each : alarms) {
            if (each->armed()) earliest = std::min(earliest, each->when);
        }
        REQUIRE(deadlines.earliest() == earliest);
    }
    auto before = start;
    while (Deadline* due = deadlines.pop_due(Deadlines::TimePoint::max())) {
        const auto when = static_cast<Alarm*>(due)->when;
        REQUIRE(before <= when);
        before = when;
    }
    for (const auto& each : alarms) CHECK_FALSE(each->armed());
}
