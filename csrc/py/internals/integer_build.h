// Building ints and instances of int subclasses from machine words; reading ints is in integer.h.
#pragma once

#include <cstdint>

#include "base/macros.h"
#include "py/python.h"
#include "py/ref.h"

namespace barewire::py {

// A new instance of `type`, a subclass of int without state of its own, through int.__new__. Works everywhere.
inline PyObject* subclass_integer_public(PyTypeObject* type, std::int64_t value) noexcept {
    Ref number = Ref::steal(PyLong_FromLongLong(value));
    if (!number) return nullptr;
    Ref arguments = Ref::steal(PyTuple_Pack(1, number.get()));
    if (!arguments) return nullptr;
    return PyLong_Type.tp_new(type, arguments.get(), nullptr);
}

#if !defined(BAREWIRE_PUBLIC_INTERNALS) && !defined(Py_GIL_DISABLED) && !defined(Py_LIMITED_API) && \
    PY_VERSION_HEX < 0x030e0000
#define BAREWIRE_INTEGER_DIGITS 1

// The same by writing the digits; the layout has been stable in 3.10-3.11 and, with a tag for size and sign, since 3.12.
inline PyObject* subclass_integer_digits(PyTypeObject* type, std::int64_t value) noexcept {
    const bool negative = value < 0;
    std::uint64_t magnitude = negative ? 0 - static_cast<std::uint64_t>(value) : static_cast<std::uint64_t>(value);
    digit digits[3] = {static_cast<digit>(magnitude & PyLong_MASK),
                       static_cast<digit>((magnitude >> PyLong_SHIFT) & PyLong_MASK), 0};
    if constexpr (PyLong_SHIFT * 2 < 64) digits[2] = static_cast<digit>(magnitude >> (PyLong_SHIFT * 2));
    const int count = digits[2] ? 3 : digits[1] ? 2 : digits[0] ? 1 : 0;
    PyObject* object = type->tp_alloc(type, count ? count : 1);
    if (object == nullptr) return nullptr;
    auto* number = reinterpret_cast<PyLongObject*>(object);
#if PY_VERSION_HEX >= 0x030c0000
    const std::uintptr_t sign = count == 0 ? 1 : negative ? 2 : 0;
    number->long_value.lv_tag = (static_cast<std::uintptr_t>(count) << 3) | sign;
    digit* to = number->long_value.ob_digit;
#else
    Py_SET_SIZE(reinterpret_cast<PyVarObject*>(object), negative ? -count : count);
    digit* to = number->ob_digit;
#endif
    for (int i = 0; i < (count ? count : 1); ++i) to[i] = digits[i];
    return object;
}
static_assert(PyLong_SHIFT == 30, "64-bit values take at most three digits only with 30-bit digits");
#endif

// A non-negative int of 128 bits from two words.
inline PyObject* integer_from_words(std::uint64_t high, std::uint64_t low) noexcept {
#if PY_VERSION_HEX >= 0x030d0000
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    const std::uint64_t words[2] = {high, low};
#else
    const std::uint64_t words[2] = {low, high};
#endif
    return PyLong_FromUnsignedNativeBytes(words, sizeof words, Py_ASNATIVEBYTES_NATIVE_ENDIAN);
#else
    unsigned char bytes[16];
    for (int i = 0; i < 8; ++i) {
        bytes[i] = static_cast<unsigned char>(low >> (8 * i));
        bytes[8 + i] = static_cast<unsigned char>(high >> (8 * i));
    }
    return _PyLong_FromByteArray(bytes, sizeof bytes, 1, 0);
#endif
}

}  // namespace barewire::py
