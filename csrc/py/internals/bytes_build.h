// Instances of bytes subclasses made by allocation and a copy; private parts of the bytes layout.
#pragma once

#include <cstdint>
#include <cstring>

#include "py/python.h"

namespace barewire::py {

#ifndef BAREWIRE_PUBLIC_INTERNALS
#define BAREWIRE_BYTES_MEMORY 1

// A new instance of `type`, whose tp_alloc is the generic one, with `size` bytes copied from `data`; attributes unset.
inline PyObject* subclass_bytes_memory(PyTypeObject* type, const std::uint8_t* data, std::size_t size) noexcept {
    PyObject* object = type->tp_alloc(type, static_cast<Py_ssize_t>(size));
    if (object == nullptr) return nullptr;
    auto* bytes = reinterpret_cast<PyBytesObject*>(object);
    if (size != 0) std::memcpy(bytes->ob_sval, data, size);
    bytes->ob_sval[size] = 0;
#if defined(__GNUC__) || defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"  // the field is announced to go, not gone
#endif
    bytes->ob_shash = -1;
#if defined(__GNUC__) || defined(__clang__)
#pragma GCC diagnostic pop
#endif
    return object;
}
#endif

}  // namespace barewire::py
