// Tests of base/civil: known dates, every day of 800 years both ways, the ends of the range.
#include "base/civil.h"

#include <cstdint>
#include <limits>

#include "support/catch.h"

using namespace barewire::base;

TEST_CASE("known dates") {
    REQUIRE(days_from_civil(1970, 1, 1) == 0);
    REQUIRE(days_from_civil(2000, 2, 29) == 11016);
    REQUIRE(days_from_civil(1, 1, 1) == -719162);
    REQUIRE(days_from_civil(9999, 12, 31) == 2932896);
}

TEST_CASE("each day follows the day before, and both directions agree") {
    CivilDate before = civil_from_days(days_from_civil(1599, 12, 31));
    constexpr unsigned lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    for (std::int64_t day = days_from_civil(1600, 1, 1); day <= days_from_civil(2401, 1, 1); ++day) {
        CivilDate date = civil_from_days(day);
        const bool leap = (before.year % 4 == 0 && before.year % 100 != 0) || before.year % 400 == 0;
        const unsigned length = lengths[before.month - 1] + (leap && before.month == 2);
        const bool month_ends = before.day == length;
        const bool year_ends = month_ends && before.month == 12;
        REQUIRE(date.day == (month_ends ? 1 : before.day + 1));
        REQUIRE(date.month == (year_ends ? 1 : before.month + month_ends));
        REQUIRE(date.year == before.year + year_ends);
        REQUIRE(days_from_civil(date.year, date.month, date.day) == day);
        before = date;
    }
}

TEST_CASE("instants before the epoch keep a non-negative time of day") {
    CivilInstant instant = instant_from_milliseconds(-1);
    REQUIRE(instant.date.year == 1969);
    REQUIRE(instant.date.month == 12);
    REQUIRE(instant.date.day == 31);
    REQUIRE(instant.hour == 23);
    REQUIRE(instant.minute == 59);
    REQUIRE(instant.second == 59);
    REQUIRE(instant.millisecond == 999);
}

TEST_CASE("the ends of the range are accepted") {
    REQUIRE(instant_from_milliseconds(std::numeric_limits<std::int64_t>::max()).date.year == 292278994);
    REQUIRE(instant_from_milliseconds(std::numeric_limits<std::int64_t>::min()).date.year == -292275055);
}
