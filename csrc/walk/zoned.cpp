// Offsets from UTC of datetimes and the subtraction, without a Python-level call for the usual zones.
#include "walk/zoned.h"

#include <utility>

#include "py/internals/clock.h"
#include "py/ref.h"
#include "walk/scalar.h"

namespace barewire::walk {

namespace {

bool is_below_a_day(PyObject* offset) noexcept {
    const int days = PyDateTime_DELTA_GET_DAYS(offset);
    if (days == 0) return true;
    return days == -1 && (PyDateTime_DELTA_GET_SECONDS(offset) != 0 || PyDateTime_DELTA_GET_MICROSECONDS(offset) != 0);
}

// The C function behind `utcoffset` of a class that cannot be changed, such as datetime.timezone; nullptr without one.
PyCFunction utcoffset_function(const Kinds& kinds, PyTypeObject* type) {
    if ((type->tp_flags & Py_TPFLAGS_HEAPTYPE) != 0 && (type->tp_flags & Py_TPFLAGS_IMMUTABLETYPE) == 0) return nullptr;
    py::Ref found = py::Ref::steal(PyObject_GetAttr(reinterpret_cast<PyObject*>(type), kinds.utcoffset.get()));
    if (!found) {
        PyErr_Clear();
        return nullptr;
    }
    if (Py_TYPE(found.get()) != &PyMethodDescr_Type) return nullptr;
    auto* descriptor = reinterpret_cast<PyMethodDescrObject*>(found.get());
    return descriptor->d_method->ml_flags == METH_O ? descriptor->d_method->ml_meth : nullptr;
}

// utcoffset() of a datetime, through its zone's C function where there is one.
py::Ref utcoffset(Kinds& kinds, PyObject* value, PyObject* zone) {
    if (zone != nullptr) {
        PyTypeObject* type = Py_TYPE(zone);
        if (BAREWIRE_UNLIKELY(type != kinds.zone_type)) {
            if (PyCFunction function = utcoffset_function(kinds, type)) {
                kinds.zone_type = type;
                kinds.zone_utcoffset = function;
            }
        }
        if (type == kinds.zone_type) {
            py::Ref offset = py::Ref::steal(kinds.zone_utcoffset(zone, value));
            // What datetime.utcoffset() would refuse is left to it.
            if (!offset || offset.get() == Py_None) return offset;
            if (Py_TYPE(offset.get()) == py::clock_api->DeltaType && is_below_a_day(offset.get())) return offset;
        }
    }
    return py::Ref::steal(PyObject_CallMethodNoArgs(value, kinds.utcoffset.get()));
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
    // The zone's code may replace the value in its container.
    ++encoder.user_code;
    py::Ref held = py::Ref::share(value);
    py::Ref offset = utcoffset(kinds, value, exact ? py::datetime_tzinfo(value) : nullptr);
    if (!offset) return false;
    if (offset.get() == Py_None) return write_datetime(encoder, type_at, datetime_milliseconds(value));
    if (exact && Py_TYPE(offset.get()) == py::clock_api->DeltaType && far_from_limits(value)) {
        return write_shifted(encoder, type_at, value, py::timedelta_microseconds(offset.get()));
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
