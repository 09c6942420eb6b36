// Dates, times, instants and intervals of the datetime module.
#include "py/internals/clock.h"
#include "walk/pg_encoder.h"
#include "wire/pg/clock.h"

namespace barewire::walk {

namespace pg = wire::pg;
using py::Ref;

namespace {

bool is_date(PyObject* value) noexcept { return PyObject_TypeCheck(value, py::clock_api->DateType); }
bool is_time(PyObject* value) noexcept { return PyObject_TypeCheck(value, py::clock_api->TimeType); }

template <class Number>
bool write_number(PgEncoder& encoder, Number number) {
    if (!encoder.reserve(sizeof number)) return false;
    encoder.advance_to(pg::put(encoder.tail(), number));
    return true;
}

std::int64_t day_of(PyObject* date) noexcept {
    return pg::days_of(PyDateTime_GET_YEAR(date), PyDateTime_GET_MONTH(date), PyDateTime_GET_DAY(date));
}

// Microseconds of the fields of a datetime, whatever its zone.
std::int64_t instant_of(PyObject* value) noexcept {
    return day_of(value) * pg::microseconds_per_day +
           pg::microseconds_of({PyDateTime_DATE_GET_HOUR(value), PyDateTime_DATE_GET_MINUTE(value),
                                PyDateTime_DATE_GET_SECOND(value), PyDateTime_DATE_GET_MICROSECOND(value)});
}

std::int64_t time_of_day(PyObject* value) noexcept {
    return pg::microseconds_of({PyDateTime_TIME_GET_HOUR(value), PyDateTime_TIME_GET_MINUTE(value),
                                PyDateTime_TIME_GET_SECOND(value), PyDateTime_TIME_GET_MICROSECOND(value)});
}

PyObject* zone_of_time(PyObject* value) noexcept {
    auto* fields = reinterpret_cast<PyDateTime_Time*>(value);
    return fields->hastzinfo ? fields->tzinfo : nullptr;
}

// utcoffset() of a datetime or time; `known` is false if it is None.
bool offset_of(PgEncoder& encoder, PyObject* value, std::int64_t& microseconds, bool& known) {
    ++encoder.user_code;
    Ref held = Ref::share(value);
    Ref offset = Ref::steal(PyObject_CallMethodNoArgs(value, encoder.kinds.utcoffset.get()));
    if (!offset) return false;
    known = offset.get() != Py_None;
    microseconds = known ? py::timedelta_microseconds(offset.get()) : 0;
    return true;
}

// What the session's zone makes of a naive datetime, as the server does with a timestamp.
bool in_session_zone(PgEncoder& encoder, PyObject* value, std::int64_t& offset) {
    offset = 0;
    PyObject* zone = encoder.settings.timezone.get();
    if (zone == nullptr || zone == py::timezone_utc()) return true;
    Ref aware = Ref::steal(py::clock_api->DateTime_FromDateAndTimeAndFold(
        PyDateTime_GET_YEAR(value), PyDateTime_GET_MONTH(value), PyDateTime_GET_DAY(value),
        PyDateTime_DATE_GET_HOUR(value), PyDateTime_DATE_GET_MINUTE(value), PyDateTime_DATE_GET_SECOND(value),
        PyDateTime_DATE_GET_MICROSECOND(value), zone, PyDateTime_DATE_GET_FOLD(value), py::clock_api->DateTimeType));
    bool known = false;
    return aware && offset_of(encoder, aware.get(), offset, known);
}

bool write_timestamptz(PgEncoder& encoder, const PgType& type, PyObject* value) {
    if (!py::is_datetime(value)) {
        if (!is_date(value)) return fail_pg_type(encoder, type, value, "datetime");
        Ref midnight = Ref::steal(py::clock_api->DateTime_FromDateAndTime(
            PyDateTime_GET_YEAR(value), PyDateTime_GET_MONTH(value), PyDateTime_GET_DAY(value), 0, 0, 0, 0, Py_None,
            py::clock_api->DateTimeType));
        return midnight && write_timestamptz(encoder, type, midnight.get());
    }
    const std::int64_t instant = instant_of(value);
    PyObject* zone = py::datetime_tzinfo(value);
    if (BAREWIRE_LIKELY(zone == py::timezone_utc())) return write_number(encoder, instant);
    std::int64_t offset = 0;
    bool known = false;
    if (zone != nullptr && !offset_of(encoder, value, offset, known)) return false;
    if (!known && !in_session_zone(encoder, value, offset)) return false;
    return write_number(encoder, instant - offset);
}

bool write_timestamp(PgEncoder& encoder, const PgType& type, PyObject* value) {
    if (py::is_datetime(value)) {
        if (py::datetime_tzinfo(value) != nullptr) return fail_pg_type(encoder, type, value, "naive datetime");
        return write_number(encoder, instant_of(value));
    }
    if (!is_date(value)) return fail_pg_type(encoder, type, value, "datetime");
    return write_number(encoder, day_of(value) * pg::microseconds_per_day);
}

bool write_timetz(PgEncoder& encoder, const PgType& type, PyObject* value) {
    if (!is_time(value)) return fail_pg_type(encoder, type, value, "time");
    std::int64_t offset = 0;
    bool known = false;
    const std::int64_t time = time_of_day(value);
    if (zone_of_time(value) != nullptr && !offset_of(encoder, value, offset, known)) return false;
    if (!known) return fail_pg_type(encoder, type, value, "time with a fixed offset from UTC");
    if (offset % pg::microseconds_per_second != 0) {
        return fail_pg_value(encoder, type, "offset from UTC is no whole number of seconds");
    }
    // The server counts zones westward.
    return write_number(encoder, time) &&
           write_number(encoder, static_cast<std::int32_t>(-offset / pg::microseconds_per_second));
}

}  // namespace

bool write_pg_clock(PgEncoder& encoder, const PgType& type, PyObject* value) {
    switch (type.kind) {
        case PgKind::date:
            if (!is_date(value)) return fail_pg_type(encoder, type, value, "date");
            return write_number(encoder, static_cast<std::int32_t>(day_of(value)));
        case PgKind::time:
            if (!is_time(value)) return fail_pg_type(encoder, type, value, "time");
            if (zone_of_time(value) != nullptr) return fail_pg_type(encoder, type, value, "naive time");
            return write_number(encoder, time_of_day(value));
        case PgKind::timetz: return write_timetz(encoder, type, value);
        case PgKind::timestamp: return write_timestamp(encoder, type, value);
        case PgKind::timestamptz: return write_timestamptz(encoder, type, value);
        default: break;
    }
    if (!py::is_timedelta(value)) return fail_pg_type(encoder, type, value, "timedelta");
    const std::int64_t of_day =
        PyDateTime_DELTA_GET_SECONDS(value) * pg::microseconds_per_second + PyDateTime_DELTA_GET_MICROSECONDS(value);
    return write_number(encoder, of_day) && write_number(encoder, static_cast<std::int32_t>(PyDateTime_DELTA_GET_DAYS(value))) &&
           write_number(encoder, std::int32_t{0});
}

}  // namespace barewire::walk
