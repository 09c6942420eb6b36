// Calendar arithmetic on 400-year cycles of years that begin in March, so that the leap day is the last of its year.
#include "base/civil.h"

namespace barewire::base {

namespace {

constexpr std::int64_t days_per_cycle = 146097;       // 400 Gregorian years
constexpr std::int64_t epoch_from_march_zero = 719468;  // 0000-03-01 to 1970-01-01
constexpr std::int64_t milliseconds_per_day = 86400000;

constexpr std::int64_t floor_divide(std::int64_t value, std::int64_t by) noexcept {
    return value / by - (value % by < 0);
}

}  // namespace

std::int64_t days_from_civil(std::int64_t year, unsigned month, unsigned day) noexcept {
    if (month <= 2) --year;
    const std::int64_t cycle = floor_divide(year, 400);
    const auto year_of_cycle = static_cast<unsigned>(year - cycle * 400);
    const unsigned month_from_march = month > 2 ? month - 3 : month + 9;
    const unsigned day_of_year = (153 * month_from_march + 2) / 5 + day - 1;
    const unsigned day_of_cycle = year_of_cycle * 365 + year_of_cycle / 4 - year_of_cycle / 100 + day_of_year;
    return cycle * days_per_cycle + day_of_cycle - epoch_from_march_zero;
}

CivilDate civil_from_days(std::int64_t days) noexcept {
    days += epoch_from_march_zero;
    const std::int64_t cycle = floor_divide(days, days_per_cycle);
    const auto day_of_cycle = static_cast<unsigned>(days - cycle * days_per_cycle);
    // Takes out the leap days that lie before this day, then divides by common years.
    const unsigned year_of_cycle =
        (day_of_cycle - day_of_cycle / 1460 + day_of_cycle / 36524 - day_of_cycle / 146096) / 365;
    const unsigned day_of_year = day_of_cycle - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    const unsigned month_from_march = (5 * day_of_year + 2) / 153;
    const unsigned day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    const unsigned month = month_from_march < 10 ? month_from_march + 3 : month_from_march - 9;
    return {cycle * 400 + year_of_cycle + (month <= 2), month, day};
}

CivilInstant instant_from_milliseconds(std::int64_t milliseconds) noexcept {
    const std::int64_t days = floor_divide(milliseconds, milliseconds_per_day);
    const auto of_day = static_cast<unsigned>(milliseconds - days * milliseconds_per_day);
    const unsigned second_of_day = of_day / 1000;
    return {civil_from_days(days), second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60, of_day % 1000};
}

}  // namespace barewire::base
