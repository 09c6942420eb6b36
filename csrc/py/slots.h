// Classes with __slots__: offsets read from their member descriptors, so that instances can be made without __init__.
#pragma once

#include <initializer_list>

#include "base/macros.h"
#include "py/python.h"
#include "py/ref.h"

namespace barewire::py {

// One class whose whole state is a known list of object slots. `native()` is false, and only the public constructor may
// be used, when the class has other state, when a slot is no plain object member, when a sample made by the public
// constructor held other values than expected, or in builds that use public API only.
class SlotClass {
public:
    static constexpr int max_slots = 4;

    // Reads the offsets of the slots by their (mangled) attribute names. False with a Python error set only if `type`
    // is not a class.
    [[nodiscard]] bool describe(PyObject* type, std::initializer_list<const char*> names);

    // Compares the slots of an instance made by the public constructor with the values that native building would
    // write; a difference turns native building off. False with a Python error set if a comparison raised.
    [[nodiscard]] bool confirm(PyObject* sample, std::initializer_list<PyObject*> expected);

    bool native() const noexcept { return native_; }
    PyTypeObject* type() const noexcept { return reinterpret_cast<PyTypeObject*>(type_.get()); }
    PyObject* object() const noexcept { return type_.get(); }
    bool is_exact(PyObject* instance) const noexcept { return Py_TYPE(instance) == type(); }

    // A new instance with empty slots, not tracked by the garbage collector; only if native().
    PyObject* allocate() const noexcept;
    // The slot itself: owned by the instance, nullptr while unset; only if native() and for instances of exactly type().
    PyObject*& slot(PyObject* instance, int index) const noexcept {
        return *reinterpret_cast<PyObject**>(reinterpret_cast<char*>(instance) + offsets_[index]);
    }

private:
    Ref type_;
    Py_ssize_t offsets_[max_slots] = {};
    int count_ = 0;
    bool native_ = false;
    bool collected_ = false;  // instances carry a collector header
};

}  // namespace barewire::py
