// Ownership of one Python reference: the only place that touches reference counts besides type slots.
#pragma once

#include "base/macros.h"
#include "py/python.h"

namespace barewire::py {

// Move-only, the size of a pointer. Empty means "a Python error is set" where a function returns it.
class [[nodiscard]] Ref {
public:
    Ref() noexcept = default;
    ~Ref() { Py_XDECREF(object_); }
    Ref(const Ref&) = delete;
    Ref& operator=(const Ref&) = delete;
    Ref(Ref&& other) noexcept : object_(other.object_) { other.object_ = nullptr; }
    Ref& operator=(Ref&& other) noexcept {
        if (this != &other) {
            PyObject* old = object_;
            object_ = other.object_;
            other.object_ = nullptr;
            Py_XDECREF(old);
        }
        return *this;
    }

    // Takes over a reference that the caller owns (a "new reference" of the C API); nullptr gives an empty Ref.
    static Ref steal(PyObject* object) noexcept { return Ref(object); }
    // Adds a reference of its own to a borrowed object.
    static Ref share(PyObject* object) noexcept {
        Py_XINCREF(object);
        return Ref(object);
    }
    static Ref none() noexcept { return share(Py_None); }

    PyObject* get() const noexcept { return object_; }
    // Hands the reference to the caller.
    [[nodiscard]] PyObject* release() noexcept {
        PyObject* object = object_;
        object_ = nullptr;
        return object;
    }
    // Another reference to the same object, for an API that steals.
    [[nodiscard]] PyObject* shared() const noexcept {
        Py_XINCREF(object_);
        return object_;
    }
    Ref copy() const noexcept { return share(object_); }
    void reset() noexcept { Ref dropped(release()); }
    // For members of heap types: `visit(ref.get())` in tp_traverse.
    explicit operator bool() const noexcept { return object_ != nullptr; }
    PyTypeObject* type() const noexcept { return Py_TYPE(object_); }

private:
    explicit Ref(PyObject* object) noexcept : object_(object) {}
    PyObject* object_ = nullptr;
};

static_assert(sizeof(Ref) == sizeof(PyObject*));

}  // namespace barewire::py
