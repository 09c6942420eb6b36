// Reading member descriptors and allocating instances for py/slots.h.
#include "py/slots.h"

#include <cstring>

#include "py/compat.h"

namespace barewire::py {

bool SlotClass::describe(PyObject* type, std::initializer_list<const char*> names) {
    native_ = false;
    if (!PyType_Check(type)) {
        PyErr_Format(PyExc_TypeError, "expected a class, got %R", type);
        return false;
    }
    type_ = Ref::share(type);
#ifndef BAREWIRE_PUBLIC_INTERNALS
    const PyTypeObject* layout = this->type();
    const auto slot_bytes = static_cast<Py_ssize_t>(names.size() * sizeof(PyObject*));
    const Py_ssize_t weak_reference = layout->tp_weaklistoffset > 0 ? static_cast<Py_ssize_t>(sizeof(PyObject*)) : 0;
    const bool only_slots = layout->tp_dictoffset == 0 && layout->tp_itemsize == 0 &&
                            layout->tp_basicsize == static_cast<Py_ssize_t>(sizeof(PyObject)) + slot_bytes + weak_reference;
    if (!only_slots || layout->tp_alloc != PyType_GenericAlloc || names.size() > max_slots) return true;
    count_ = 0;
    for (const char* name : names) {
        const Py_ssize_t offset = slot_offset(type, name);
        if (offset < 0) return true;
        offsets_[count_++] = offset;
    }
    collected_ = PyType_IS_GC(this->type());
    native_ = true;
#else
    (void)names;
#endif
    return true;
}

bool SlotClass::confirm(PyObject* sample, std::initializer_list<PyObject*> expected) {
    if (!native_) return true;
    bool same = is_exact(sample) && static_cast<int>(expected.size()) == count_;
    int index = 0;
    for (PyObject* value : expected) {
        if (!same) break;
        PyObject* held = slot(sample, index++);
        if (held == nullptr || Py_TYPE(held) != Py_TYPE(value)) {
            same = false;
            break;
        }
        const int equal = PyObject_RichCompareBool(held, value, Py_EQ);
        if (equal < 0) return false;
        same = equal == 1;
    }
    native_ = same;
    return true;
}

PyObject* SlotClass::allocate() const noexcept {
    PyTypeObject* const layout = type();
    PyObject* instance = collected_ ? PyObject_GC_New(PyObject, layout) : PyObject_New(PyObject, layout);
    if (instance != nullptr) {
        std::memset(reinterpret_cast<char*>(instance) + sizeof(PyObject), 0,
                    static_cast<std::size_t>(layout->tp_basicsize) - sizeof(PyObject));
    }
    return instance;
}

}  // namespace barewire::py
