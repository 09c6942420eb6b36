// Days and microseconds since 2000-01-01 <-> calendar fields of the years 1 to 9999; no objects, no time zones.
#pragma once

#include <cstdint>

#include "base/civil.h"
#include "base/macros.h"

namespace barewire::wire::pg {

inline constexpr std::int64_t microseconds_per_second = 1000000;
inline constexpr std::int64_t microseconds_per_day = 86400 * microseconds_per_second;
inline constexpr std::int64_t days_from_1970 = 10957;  // of 2000-01-01

// First and last day and instant that Python's datetime can hold.
inline constexpr std::int64_t first_day = -730119;     // 0001-01-01
inline constexpr std::int64_t last_day = 2921939;      // 9999-12-31
inline constexpr std::int64_t first_instant = first_day * microseconds_per_day;
inline constexpr std::int64_t last_instant = (last_day + 1) * microseconds_per_day - 1;

BAREWIRE_INLINE base::CivilDate date_of(std::int64_t days) noexcept {
    return base::civil_from_days(days + days_from_1970);
}

BAREWIRE_INLINE std::int64_t days_of(int year, int month, int day) noexcept {
    return base::days_from_civil(year, static_cast<unsigned>(month), static_cast<unsigned>(day)) - days_from_1970;
}

struct TimeOfDay {
    int hour, minute, second, microsecond;
};

// Of 0 up to, but without, a whole day.
BAREWIRE_INLINE TimeOfDay time_of(std::int64_t microseconds) noexcept {
    const auto seconds = static_cast<unsigned>(microseconds / microseconds_per_second);
    return {static_cast<int>(seconds / 3600), static_cast<int>(seconds / 60 % 60), static_cast<int>(seconds % 60),
            static_cast<int>(microseconds - std::int64_t{seconds} * microseconds_per_second)};
}

BAREWIRE_INLINE std::int64_t microseconds_of(const TimeOfDay& time) noexcept {
    return ((time.hour * 60LL + time.minute) * 60 + time.second) * microseconds_per_second + time.microsecond;
}

// The day that an instant lies in; the rest is never negative.
BAREWIRE_INLINE std::int64_t split_days(std::int64_t microseconds, std::int64_t& rest) noexcept {
    std::int64_t days = microseconds / microseconds_per_day;
    rest = microseconds - days * microseconds_per_day;
    if (rest < 0) {
        rest += microseconds_per_day;
        --days;
    }
    return days;
}

}  // namespace barewire::wire::pg
