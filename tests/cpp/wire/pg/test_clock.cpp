// Tests of wire/pg/clock and of the table of built-in types.
#include "wire/pg/clock.h"

#include <iterator>
#include <string>

#include "support/catch.h"
#include "wire/pg/oids.h"

using namespace barewire::wire::pg;

TEST_CASE("days since 2000: every day of Python's years there and back") {
    REQUIRE(days_of(2000, 1, 1) == 0);
    REQUIRE(days_of(1, 1, 1) == first_day);
    REQUIRE(days_of(9999, 12, 31) == last_day);
    for (std::int64_t day = first_day; day <= last_day; day += 17) {
        const auto date = date_of(day);
        REQUIRE(days_of(static_cast<int>(date.year), static_cast<int>(date.month), static_cast<int>(date.day)) == day);
    }
}

TEST_CASE("instants are split so that the rest is never negative") {
    for (const std::int64_t instant : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1}, first_instant, last_instant,
                                       -microseconds_per_day, microseconds_per_day, INT64_MIN, INT64_MAX}) {
        std::int64_t rest = -1;
        const std::int64_t days = split_days(instant, rest);
        REQUIRE(rest >= 0);
        REQUIRE(rest < microseconds_per_day);
        // In unsigned arithmetic, because days times microseconds may leave the range at the ends.
        REQUIRE(static_cast<std::uint64_t>(days) * static_cast<std::uint64_t>(microseconds_per_day) +
                    static_cast<std::uint64_t>(rest) ==
                static_cast<std::uint64_t>(instant));
    }
}

TEST_CASE("times of day there and back") {
    for (std::int64_t time = 0; time < microseconds_per_day; time += 12345677) {
        const TimeOfDay fields = time_of(time);
        REQUIRE(fields.hour < 24);
        REQUIRE(fields.minute < 60);
        REQUIRE(fields.second < 60);
        REQUIRE(microseconds_of(fields) == time);
    }
}

TEST_CASE("built-in types stand in the order of their oids, elements among them") {
    const BuiltinType* before = nullptr;
    for (const BuiltinType& type : builtin_types) {
        if (before != nullptr) REQUIRE(before->oid < type.oid);
        before = &type;
        for (const std::uint32_t other : {type.element, type.array}) {
            bool found = other == 0;
            for (const BuiltinType& candidate : builtin_types) found |= candidate.oid == other;
            REQUIRE(found);
        }
        const bool holds = type.kind == Kind::array || type.kind == Kind::vector || type.kind == Kind::range || type.kind == Kind::multirange;
        REQUIRE(holds == (type.element != 0));
    }
    REQUIRE(std::size(builtin_types) > 150);
}
