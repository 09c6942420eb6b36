// Values of int objects: small ones from their digits in place, others through the C API.
#pragma once

#include <cstdint>

#include "base/macros.h"
#include "py/python.h"

namespace barewire::py {

// False, without a Python error, if the value does not fit. `object` must be an int or a subclass.
BAREWIRE_INLINE bool int64_value(PyObject* object, std::int64_t& value) noexcept {
#if defined(BAREWIRE_PUBLIC_INTERNALS)
#elif PY_VERSION_HEX >= 0x030c0000
    auto* number = reinterpret_cast<PyLongObject*>(object);
    if (BAREWIRE_LIKELY(PyUnstable_Long_IsCompact(number))) {
        value = PyUnstable_Long_CompactValue(number);
        return true;
    }
#else
    const digit* digits = reinterpret_cast<PyLongObject*>(object)->ob_digit;
    Py_ssize_t size = Py_SIZE(object);
    static_assert(PyLong_SHIFT * 2 < 64);
    if (BAREWIRE_LIKELY(size == 1)) {
        value = digits[0];
        return true;
    }
    if (size == 0) {
        value = 0;
        return true;
    }
    if (size == -1) {
        value = -static_cast<std::int64_t>(digits[0]);
        return true;
    }
    if (size == 2) {
        value = static_cast<std::int64_t>(digits[0]) | (static_cast<std::int64_t>(digits[1]) << PyLong_SHIFT);
        return true;
    }
#endif
    int overflow = 0;
    value = PyLong_AsLongLongAndOverflow(object, &overflow);
    return overflow == 0;
}

}  // namespace barewire::py
