// Datetime conversions of CodecOptions: naive, aware, converted to a zone, clamped, or kept as milliseconds.
#include "walk/instants.h"

#include "base/civil.h"
#include "py/internals/clock.h"
#include "py/ref.h"
#include "walk/decode_errors.h"

namespace barewire::walk {

using py::Ref;

namespace {

constexpr std::int64_t first_millisecond = -62135596800000;  // 0001-01-01T00:00:00.000Z
constexpr std::int64_t last_millisecond = 253402300799999;   // 9999-12-31T23:59:59.999Z
constexpr std::int64_t milliseconds_per_day = 86400000;

// Offset from UTC in milliseconds that `zone` has at bson.datetime_ms.`name`; false with a Python error set.
bool offset_at(const Kinds& kinds, PyObject* zone, const char* name, std::int64_t& milliseconds) {
    Ref module = Ref::steal(PyImport_ImportModule("bson.datetime_ms"));
    if (!module) return false;
    Ref limit = Ref::steal(PyObject_GetAttrString(module.get(), name));
    Ref method = Ref::steal(PyUnicode_FromString("utcoffset"));
    if (!limit || !method) return false;
    Ref offset = Ref::steal(PyObject_CallMethodOneArg(zone, method.get(), limit.get()));
    if (!offset) return false;
    milliseconds = 0;
    if (offset.get() == Py_None) return true;
    if (!py::is_timedelta(offset.get())) {
        PyErr_SetString(kinds.bson_error.get(), "tzinfo.utcoffset() did not return a datetime.timedelta");
        return false;
    }
    // Days, seconds and microseconds are normalised so that only the days can be negative.
    const std::int64_t microseconds = py::timedelta_microseconds(offset.get());
    milliseconds = microseconds / 1000 - (microseconds % 1000 < 0);
    return true;
}

// The first and last instant that datetime can hold in the zone asked for.
bool representable_range(const Kinds& kinds, const CodecOptions& options, std::int64_t& first, std::int64_t& last) {
    first = first_millisecond;
    last = last_millisecond;
    if (!options.tz_aware || !options.tzinfo) return true;
    std::int64_t at_first = 0, at_last = 0;
    if (!offset_at(kinds, options.tzinfo.get(), "_MIN_UTC", at_first)) return false;
    if (!offset_at(kinds, options.tzinfo.get(), "_MAX_UTC", at_last)) return false;
    if (at_first < 0) first -= at_first;
    if (at_last > 0) last -= at_last;
    return true;
}

}  // namespace

PyObject* new_instant(const Kinds& kinds, const Values& values, const CodecOptions& options, std::int64_t milliseconds) {
    const DatetimeConversion conversion = options.datetime_conversion;
    if (conversion == DatetimeConversion::milliseconds) return new_datetime_ms(values, milliseconds);
    // An offset from UTC is less than a day, so only instants near the ends need to be looked at closely.
    if (conversion != DatetimeConversion::datetime && (milliseconds < first_millisecond + milliseconds_per_day ||
                                                       milliseconds > last_millisecond - milliseconds_per_day)) {
        std::int64_t first = 0, last = 0;
        if (!representable_range(kinds, options, first, last)) return nullptr;
        if (milliseconds < first || milliseconds > last) {
            if (conversion == DatetimeConversion::automatic) return new_datetime_ms(values, milliseconds);
            if (conversion == DatetimeConversion::clamp) milliseconds = milliseconds < first ? first : last;
        }
    }
    const base::CivilInstant at = base::instant_from_milliseconds(milliseconds);
    PyObject* zone = options.tz_aware ? kinds.bson_utc.get() : Py_None;
    PyObject* instant = py::clock_api->DateTime_FromDateAndTime(
        static_cast<int>(at.date.year), static_cast<int>(at.date.month), static_cast<int>(at.date.day),
        static_cast<int>(at.hour), static_cast<int>(at.minute), static_cast<int>(at.second),
        static_cast<int>(at.millisecond * 1000), zone, py::clock_api->DateTimeType);
    if (instant == nullptr) return date_out_of_range();
    // astimezone() to the very zone that an instant has returns the instant itself.
    if (!options.tz_aware || !options.tzinfo || options.tzinfo.get() == kinds.bson_utc.get()) return instant;
    Ref in_utc = Ref::steal(instant);
    Ref method = Ref::steal(PyUnicode_FromString("astimezone"));
    if (!method) return nullptr;
    return PyObject_CallMethodOneArg(in_utc.get(), method.get(), options.tzinfo.get());
}

}  // namespace barewire::walk
