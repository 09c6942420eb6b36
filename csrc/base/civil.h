// Days since 1970-01-01 <-> proleptic Gregorian calendar dates; no time zones, no parsing.
#pragma once

#include <cstdint>

namespace barewire::base {

struct CivilDate {
    std::int64_t year;
    unsigned month;  // 1..12
    unsigned day;    // 1..31
};

// Milliseconds since the epoch, split as BSON readers need them; `millisecond` is never negative.
struct CivilInstant {
    CivilDate date;
    unsigned hour;
    unsigned minute;
    unsigned second;
    unsigned millisecond;
};

// Any year whose day count fits std::int64_t.
std::int64_t days_from_civil(std::int64_t year, unsigned month, unsigned day) noexcept;
CivilDate civil_from_days(std::int64_t days) noexcept;

// Every std::int64_t is accepted; years reach from about -292 to +292 million.
CivilInstant instant_from_milliseconds(std::int64_t milliseconds) noexcept;

}  // namespace barewire::base
