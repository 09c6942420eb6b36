// UTF-8 bytes of str objects: compact ASCII in place, others through the copy that the object keeps.
#pragma once

#include "base/macros.h"
#include "py/python.h"

namespace barewire::py {

struct Utf8 {
    const char* data;
    Py_ssize_t size;
};

// `data` is nullptr with UnicodeEncodeError or MemoryError set; else it lives as long as the object. Runs no user code.
BAREWIRE_INLINE Utf8 utf8(PyObject* text) noexcept {
#if !defined(BAREWIRE_PUBLIC_INTERNALS)
    if (BAREWIRE_LIKELY(PyUnicode_IS_COMPACT_ASCII(text))) {
        return {reinterpret_cast<const char*>(reinterpret_cast<PyASCIIObject*>(text) + 1), PyUnicode_GET_LENGTH(text)};
    }
#endif
    Utf8 result;
    result.data = PyUnicode_AsUTF8AndSize(text, &result.size);
    return result;
}

}  // namespace barewire::py
