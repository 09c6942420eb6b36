// Offsets from UTC of datetimes and the subtraction; the offset of a fixed zone is asked once.
#include "walk/zoned.h"

#include <utility>

#include "py/internals/clock.h"
#include "py/ref.h"
#include "walk/scalar.h"

namespace barewire::walk {

namespace {

// True for classes whose instances have one offset for ever: datetime.timezone and bson.tz_util.FixedOffset.
bool is_fixed_zone(const Kinds& kinds, PyObject* zone) noexcept {
    return Py_TYPE(zone) == Py_TYPE(py::timezone_utc()) || Py_TYPE(zone) == kinds.bson_utc.type();
}

// Whether an offset of less than a day cannot lead out of the years 1 to 9999.
bool far_from_limits(PyObject* datetime) noexcept {
    const int year = PyDateTime_GET_YEAR(datetime);
    return year > 1 && year < 9999;
}

bool write_shifted(Encoder& encoder, std::size_t type_at, PyObject* value, long long offset_microseconds) {
    const long long rest = PyDateTime_DATE_GET_MICROSECOND(value) % 1000;
    const long long total = datetime_milliseconds(value) * 1000 + rest - offset_microseconds;
    return write_datetime(encoder, type_at, total / 1000 - (total % 1000 < 0 ? 1 : 0));
}

}  // namespace

bool write_zoned(Encoder& encoder, std::size_t type_at, PyObject* value) {
    Kinds& kinds = encoder.kinds;
    const bool exact = Py_TYPE(value) == kinds.datetime;
    PyObject* zone = exact ? py::datetime_tzinfo(value) : nullptr;
    if (zone != nullptr && zone == kinds.fixed_zone.get() && far_from_limits(value)) {
        return write_shifted(encoder, type_at, value, kinds.fixed_zone_offset);
    }
    // The zone's code may replace the value in its container, or even the cached zone by encoding something.
    ++encoder.user_code;
    py::Ref held = py::Ref::share(value), held_zone = py::Ref::share(zone);
    py::Ref offset = py::Ref::steal(PyObject_CallMethodNoArgs(value, kinds.utcoffset.get()));
    if (!offset) return false;
    if (offset.get() == Py_None) return write_datetime(encoder, type_at, datetime_milliseconds(value));
    if (exact && Py_TYPE(offset.get()) == py::clock_api->DeltaType && far_from_limits(value)) {
        const long long microseconds = py::timedelta_microseconds(offset.get());
        if (zone != nullptr && is_fixed_zone(kinds, zone)) {
            kinds.fixed_zone_offset = microseconds;
            kinds.fixed_zone = std::move(held_zone);
        }
        return write_shifted(encoder, type_at, value, microseconds);
    }
    py::Ref shifted = py::Ref::steal(PyNumber_Subtract(value, offset.get()));
    if (!shifted) return false;
    if (!py::is_datetime(shifted.get())) {
        PyErr_Format(PyExc_TypeError, "datetime minus its utcoffset() is a %.200s, not a datetime",
                     shifted.type()->tp_name);
        return false;
    }
    return write_datetime(encoder, type_at, datetime_milliseconds(shifted.get()));
}

}  // namespace barewire::walk
