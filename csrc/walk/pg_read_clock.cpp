// Dates, times, instants and intervals as objects of the datetime module.
#include "base/bytes.h"
#include "py/internals/clock.h"
#include "walk/pg_decoder.h"
#include "walk/pg_zone.h"
#include "wire/pg/clock.h"

namespace barewire::walk {

namespace pg = wire::pg;
using base::load_big;
using py::Ref;

PyObject* read_pg_date(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size) {
    if (BAREWIRE_UNLIKELY(size != 4)) return fail_pg_bytes(decoding, type);
    const std::int64_t days = load_big<std::int32_t>(data);
    if (BAREWIRE_UNLIKELY(days < pg::first_day)) return fail_pg_data(decoding, "date too small (before year 1)");
    if (BAREWIRE_UNLIKELY(days > pg::last_day)) return fail_pg_data(decoding, "date too large (after year 10K)");
    const base::CivilDate date = pg::date_of(days);
    return py::clock_api->Date_FromDate(static_cast<int>(date.year), static_cast<int>(date.month),
                                        static_cast<int>(date.day), py::clock_api->DateType);
}

PyObject* read_pg_time(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size) {
    const bool zoned = type.kind == PgKind::timetz;
    if (BAREWIRE_UNLIKELY(size != (zoned ? 12u : 8u))) return fail_pg_bytes(decoding, type);
    const auto microseconds = load_big<std::int64_t>(data);
    if (BAREWIRE_UNLIKELY(microseconds < 0 || microseconds >= pg::microseconds_per_day)) {
        if (microseconds != pg::microseconds_per_day) return fail_pg_bytes(decoding, type);
        return fail_pg_data(decoding, "time not supported by Python: hour=24");
    }
    const pg::TimeOfDay time = pg::time_of(microseconds);
    Ref zone = Ref::none();
    if (zoned) {
        const std::int64_t offset = -std::int64_t{load_big<std::int32_t>(data + 8)};
        if (offset <= -86400 || offset >= 86400) return fail_pg_bytes(decoding, type);
        if (offset == 0) {
            zone = Ref::share(py::timezone_utc());
        } else {
            Ref delta = Ref::steal(
                py::clock_api->Delta_FromDelta(0, static_cast<int>(offset), 0, 1, py::clock_api->DeltaType));
            if (!delta) return nullptr;
            zone = Ref::steal(py::clock_api->TimeZone_FromTimeZone(delta.get(), nullptr));
            if (!zone) return nullptr;
        }
    }
    return py::clock_api->Time_FromTime(time.hour, time.minute, time.second, time.microsecond, zone.get(),
                                        py::clock_api->TimeType);
}

namespace {

PyObject* datetime_of(std::int64_t instant, PyObject* zone) {
    std::int64_t rest;
    const base::CivilDate date = pg::date_of(pg::split_days(instant, rest));
    const pg::TimeOfDay time = pg::time_of(rest);
    return py::clock_api->DateTime_FromDateAndTime(static_cast<int>(date.year), static_cast<int>(date.month),
                                                   static_cast<int>(date.day), time.hour, time.minute, time.second,
                                                   time.microsecond, zone, py::clock_api->DateTimeType);
}

PyObject* fail_instant(PgDecoding& decoding, bool small) {
    return fail_pg_data(decoding, small ? "timestamp too small (before year 1)" : "timestamp too large (after year 10K)");
}

bool in_range(std::int64_t instant) noexcept { return instant >= pg::first_instant && instant <= pg::last_instant; }

// An instant that has a year of Python's only in its own zone, not in UTC: shifted by the zone's offset at that end.
PyObject* shifted(PgDecoding& decoding, std::int64_t instant, PyObject* zone) {
    Ref end = Ref::steal(datetime_of(instant < 0 ? pg::first_instant : pg::last_instant, Py_None));
    if (!end) return nullptr;
    Ref offset = Ref::steal(PyObject_CallMethodOneArg(zone, decoding.kinds.utcoffset.get(), end.get()));
    if (!offset) return nullptr;
    if (py::is_timedelta(offset.get())) {
        // Whole seconds, as psycopg takes them.
        std::int64_t microseconds = py::timedelta_microseconds(offset.get());
        microseconds -= microseconds % pg::microseconds_per_second;
        // No sum of an offset and an infinity overflows unseen: both ends are checked.
        std::int64_t local;
        if (!__builtin_add_overflow(instant, microseconds, &local) && in_range(local)) return datetime_of(local, zone);
    }
    return fail_instant(decoding, instant <= 0);
}

PyObject* in_zone(PgDecoding& decoding, std::int64_t instant, PyObject* session_zone) {
    // Its code may give the session another one.
    Ref held = Ref::share(session_zone);
    PyObject* const zone = held.get();
    if (!in_range(instant)) return shifted(decoding, instant, zone);
    Ref utc = Ref::steal(datetime_of(instant, zone));
    if (!utc) return nullptr;
    PyObject* local = zone_fromutc(decoding.kinds, zone, utc.get());
    if (local != nullptr || !PyErr_ExceptionMatches(PyExc_OverflowError)) return local;
    PyErr_Clear();
    return shifted(decoding, instant, zone);
}

}  // namespace

PyObject* read_pg_timestamp(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size) {
    if (BAREWIRE_UNLIKELY(size != 8)) return fail_pg_bytes(decoding, type);
    const auto instant = load_big<std::int64_t>(data);
    PyObject* zone = Py_None;
    if (type.kind == PgKind::timestamptz) {
        zone = decoding.settings.timezone ? decoding.settings.timezone.get() : py::timezone_utc();
        if (zone != py::timezone_utc() && !zone_is_utc(decoding.kinds, zone)) return in_zone(decoding, instant, zone);
    }
    if (BAREWIRE_UNLIKELY(!in_range(instant))) return fail_instant(decoding, instant <= 0);
    return datetime_of(instant, zone);
}

PyObject* read_pg_interval(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size) {
    if (BAREWIRE_UNLIKELY(size != 16)) return fail_pg_bytes(decoding, type);
    const auto microseconds = load_big<std::int64_t>(data);
    std::int64_t days = load_big<std::int32_t>(data + 8);
    const std::int64_t months = load_big<std::int32_t>(data + 12);
    // A year has 365 days, a month 30.
    days += months / 12 * 365 + months % 12 * 30;
    std::int64_t rest;
    days += pg::split_days(microseconds, rest);
    if (BAREWIRE_UNLIKELY(days < -999999999 || days > 999999999)) {
        return fail_pg_data(decoding, "can't parse interval: days are out of the range of timedelta");
    }
    return py::clock_api->Delta_FromDelta(static_cast<int>(days), static_cast<int>(rest / pg::microseconds_per_second),
                                          static_cast<int>(rest % pg::microseconds_per_second), 0,
                                          py::clock_api->DeltaType);
}

}  // namespace barewire::walk
