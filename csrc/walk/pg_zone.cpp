// What is remembered of the last zone; the class zoneinfo.ZoneInfo is known, others are asked through their methods.
#include "walk/pg_zone.h"

#include <string_view>

#include "py/internals/text.h"

namespace barewire::walk {

using py::Ref;

namespace {

constexpr std::string_view names_of_utc[] = {"UTC", "Etc/UTC", "Etc/UCT", "UCT", "Zulu", "Etc/Zulu", "Universal", "Etc/Universal"};

// The C function behind `fromutc` of a class that cannot be changed; nullptr without one.
PyCFunction fromutc_function(const PgKinds& kinds, PyTypeObject* type) {
    if ((type->tp_flags & Py_TPFLAGS_HEAPTYPE) != 0 && (type->tp_flags & Py_TPFLAGS_IMMUTABLETYPE) == 0) return nullptr;
    Ref found = Ref::steal(PyObject_GetAttr(reinterpret_cast<PyObject*>(type), kinds.fromutc.get()));
    if (!found) {
        PyErr_Clear();
        return nullptr;
    }
    if (Py_TYPE(found.get()) != &PyMethodDescr_Type) return nullptr;
    auto* descriptor = reinterpret_cast<PyMethodDescrObject*>(found.get());
    return descriptor->d_method->ml_flags == METH_O ? descriptor->d_method->ml_meth : nullptr;
}

BAREWIRE_COLD void look_at(PgKinds& kinds, PyObject* zone) {
    kinds.zone = Ref::share(zone);
    kinds.zone_is_utc = false;
    kinds.zone_fromutc = fromutc_function(kinds, Py_TYPE(zone));
    // Only of the class itself: a subclass may have a key that means something else.
    if (reinterpret_cast<PyObject*>(Py_TYPE(zone)) != kinds.zone_info.get()) return;
    Ref key = Ref::steal(PyObject_GetAttr(zone, kinds.key.get()));
    if (key && PyUnicode_Check(key.get())) {
        const py::Utf8 text = py::utf8(key.get());
        for (const std::string_view name : names_of_utc) {
            kinds.zone_is_utc |= text.data != nullptr && name == std::string_view(text.data, static_cast<std::size_t>(text.size));
        }
    }
    PyErr_Clear();
}

}  // namespace

bool zone_is_utc(PgKinds& kinds, PyObject* zone) {
    if (BAREWIRE_UNLIKELY(kinds.zone.get() != zone)) look_at(kinds, zone);
    return kinds.zone_is_utc;
}

PyObject* zone_fromutc(PgKinds& kinds, PyObject* zone, PyObject* datetime) {
    if (BAREWIRE_UNLIKELY(kinds.zone.get() != zone)) look_at(kinds, zone);
    if (BAREWIRE_LIKELY(kinds.zone_fromutc != nullptr)) return kinds.zone_fromutc(zone, datetime);
    return PyObject_CallMethodOneArg(zone, kinds.fromutc.get(), datetime);
}

}  // namespace barewire::walk
