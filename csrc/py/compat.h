// Differences of the C API between CPython 3.10 and 3.14; nothing that depends on private layouts (see internals/).
#pragma once

#include <cstdint>

#include "py/python.h"
#include "py/ref.h"

#if PY_VERSION_HEX < 0x030c0000
#include <structmember.h>  // PyMemberDef came into Python.h with 3.12
#endif

namespace barewire::py {

// Reads an attribute that may be missing: 1 found, 0 missing (no error set), -1 another error.
inline int get_optional_attribute(PyObject* object, PyObject* name, Ref& found) noexcept {
    PyObject* value = nullptr;
#if PY_VERSION_HEX >= 0x030d0000
    int result = PyObject_GetOptionalAttr(object, name, &value);
#else
    int result = _PyObject_LookupAttr(object, name, &value);
#endif
    found = Ref::steal(value);
    return result;
}

// PyObject_HasAttr, which extensions had to use before 3.13, hides every error of a property.
#if PY_VERSION_HEX >= 0x030d0000
inline constexpr bool optional_attribute_errors_pass = true;
#else
inline constexpr bool optional_attribute_errors_pass = false;
#endif

// Borrowed value of a key, nullptr without an error when it is missing. Unlike PyDict_GetItem it keeps errors.
inline PyObject* dict_get(PyObject* dict, PyObject* key) noexcept { return PyDict_GetItemWithError(dict, key); }

// Before 3.12 a str may still have to be put into its final form; false with MemoryError set.
inline bool text_ready(PyObject* text) noexcept {
#if PY_VERSION_HEX < 0x030c0000
    return PyUnicode_READY(text) == 0;
#else
    (void)text;
    return true;
#endif
}

// Writes a non-negative int below 2**128 as 16 big-endian bytes; false with OverflowError otherwise.
inline bool long_to_16_bytes_big(PyObject* value, std::uint8_t* out) noexcept {
#if PY_VERSION_HEX >= 0x030d0000
    return _PyLong_AsByteArray(reinterpret_cast<PyLongObject*>(value), out, 16, 0, 0, 1) == 0;
#else
    return _PyLong_AsByteArray(reinterpret_cast<PyLongObject*>(value), out, 16, 0, 0) == 0;
#endif
}

// Offset of a `__slots__` member in instances of `type`; -1 when the name is missing or is something else.
inline Py_ssize_t slot_offset(PyObject* type, const char* name) noexcept {
    Ref found = Ref::steal(PyObject_GetAttrString(type, name));
    if (!found) {
        PyErr_Clear();
        return -1;
    }
    if (Py_TYPE(found.get()) != &PyMemberDescr_Type) return -1;
    const PyMemberDef* member = reinterpret_cast<PyMemberDescrObject*>(found.get())->d_member;
    constexpr int object_ex = 16;  // T_OBJECT_EX; Py_T_OBJECT_EX since 3.12
    return member->type == object_ex ? member->offset : -1;
}

// The entry of a heap type's members that says where its list of weak references is.
inline PyMemberDef weak_list_member(Py_ssize_t offset) noexcept {
    constexpr int ssize = 19, read_only = 1;  // T_PYSSIZET and READONLY; Py_T_PYSSIZET and Py_READONLY since 3.12
    return {"__weaklistoffset__", ssize, offset, read_only, nullptr};
}

// The exception being raised, taken out of the thread state with its traceback; put back by `restore_exception`.
inline Ref take_exception() noexcept {
#if PY_VERSION_HEX >= 0x030c0000
    return Ref::steal(PyErr_GetRaisedException());
#else
    PyObject *type = nullptr, *value = nullptr, *traceback = nullptr;
    PyErr_Fetch(&type, &value, &traceback);
    if (type == nullptr) return {};
    PyErr_NormalizeException(&type, &value, &traceback);
    if (traceback != nullptr) PyException_SetTraceback(value, traceback);
    Ref dropped_type = Ref::steal(type);
    Ref dropped_traceback = Ref::steal(traceback);
    return Ref::steal(value);
#endif
}

inline void restore_exception(Ref exception) noexcept {
#if PY_VERSION_HEX >= 0x030c0000
    PyErr_SetRaisedException(exception.release());
#else
    if (!exception) return;
    PyObject* type = Ref::share(reinterpret_cast<PyObject*>(exception.type())).release();
    PyObject* traceback = PyException_GetTraceback(exception.get());
    PyErr_Restore(type, exception.release(), traceback);
#endif
}

}  // namespace barewire::py
