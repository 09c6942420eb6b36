// Fields and construction of datetime objects through the datetime capsule; the only include of datetime.h.
#pragma once

#include "base/macros.h"
#include "py/python.h"

#include <datetime.h>

namespace barewire::py {

// The capsule of the datetime module, the same for the whole process; nullptr until `load_clock` succeeded.
inline PyDateTime_CAPI* clock_api = nullptr;

// False with ImportError set.
[[nodiscard]] inline bool load_clock() noexcept {
    if (clock_api == nullptr) {
        if (PyDateTimeAPI == nullptr) PyDateTime_IMPORT;
        clock_api = PyDateTimeAPI;
    }
    return clock_api != nullptr;
}

BAREWIRE_INLINE bool is_datetime(PyObject* object) noexcept {
    return PyObject_TypeCheck(object, clock_api->DateTimeType) != 0;
}

struct DatetimeFields {
    int year, month, day, hour, minute, second, microsecond;
};

BAREWIRE_INLINE DatetimeFields datetime_fields(PyObject* datetime) noexcept {
    return {PyDateTime_GET_YEAR(datetime),        PyDateTime_GET_MONTH(datetime),
            PyDateTime_GET_DAY(datetime),         PyDateTime_DATE_GET_HOUR(datetime),
            PyDateTime_DATE_GET_MINUTE(datetime), PyDateTime_DATE_GET_SECOND(datetime),
            PyDateTime_DATE_GET_MICROSECOND(datetime)};
}

// tzinfo of a datetime, borrowed; nullptr for a naive one.
BAREWIRE_INLINE PyObject* datetime_tzinfo(PyObject* datetime) noexcept {
    auto* fields = reinterpret_cast<PyDateTime_DateTime*>(datetime);
    return fields->hastzinfo ? fields->tzinfo : nullptr;
}

// Microseconds of a timedelta of at most a few days, such as an offset from UTC.
BAREWIRE_INLINE long long timedelta_microseconds(PyObject* delta) noexcept {
    return (PyDateTime_DELTA_GET_DAYS(delta) * 86400LL + PyDateTime_DELTA_GET_SECONDS(delta)) * 1000000LL +
           PyDateTime_DELTA_GET_MICROSECONDS(delta);
}

BAREWIRE_INLINE bool is_timedelta(PyObject* object) noexcept {
    return PyObject_TypeCheck(object, clock_api->DeltaType) != 0;
}

// datetime.timezone.utc, borrowed.
BAREWIRE_INLINE PyObject* timezone_utc() noexcept { return clock_api->TimeZone_UTC; }

}  // namespace barewire::py
