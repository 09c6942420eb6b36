// Reading and building decimal.Decimal through libmpdec's private layout, where it has been confirmed; else text is the way.
#pragma once

#include <cstddef>
#include <cstdint>

#include "base/macros.h"
#include "py/python.h"

#if !defined(BAREWIRE_PUBLIC_INTERNALS) && UINTPTR_MAX == UINT64_MAX && defined(__SIZEOF_INT128__)
#define BAREWIRE_DECIMAL_LAYOUT 1
#endif

namespace barewire::py {

namespace internals {

// mpd_t of a 64-bit libmpdec and the object around it.
struct DecimalObject {
    PyObject_HEAD
    Py_hash_t hash;
    std::uint8_t flags;
    Py_ssize_t exponent;
    Py_ssize_t digits;
    Py_ssize_t length;        // words in use
    Py_ssize_t allocated;
    std::uint64_t* words;     // base 10^19, the lowest first
    std::uint64_t inline_words[4];
};

inline constexpr std::uint8_t decimal_negative = 1;
inline constexpr std::uint8_t decimal_infinite = 2;
inline constexpr std::uint8_t decimal_nan = 4 | 8;       // quiet or signalling
inline constexpr std::uint8_t decimal_static = 16 | 32;  // neither the struct nor its words are freed by libmpdec

}  // namespace internals

inline constexpr int decimal_word_digits = 19;
inline constexpr int decimal_inline_words = 4;

struct DecimalParts {
    bool negative, infinite, nan;
    std::int64_t exponent;
    const std::uint64_t* words;  // as above; at least one
    std::size_t count;
};

// Whether the class `type` (decimal.Decimal) has this layout: compares objects made here with ones made by its constructor.
// False with or without a Python error set; none is left when the layout merely differs.
[[nodiscard]] bool confirm_decimal_layout(PyObject* type);

// Of an exact Decimal after the layout was confirmed. The words live as long as the object.
BAREWIRE_INLINE DecimalParts decimal_parts(PyObject* object) noexcept {
    const auto* decimal = reinterpret_cast<const internals::DecimalObject*>(object);
    return {(decimal->flags & internals::decimal_negative) != 0, (decimal->flags & internals::decimal_infinite) != 0,
            (decimal->flags & internals::decimal_nan) != 0,      decimal->exponent,
            decimal->words,                                      static_cast<std::size_t>(decimal->length)};
}

// An object whose words are still to be written to `words`: `count` of them, at most decimal_inline_words, with `digits`
// decimal digits in all (1 for zero). Only after the layout was confirmed; nullptr with MemoryError set.
BAREWIRE_INLINE PyObject* new_decimal(PyTypeObject* type, bool negative, std::int64_t exponent, int digits, int count,
                                      std::uint64_t*& words) noexcept {
    using internals::DecimalObject;
    DecimalObject* decimal = PyType_IS_GC(type) ? PyObject_GC_New(DecimalObject, type) : PyObject_New(DecimalObject, type);
    if (BAREWIRE_UNLIKELY(decimal == nullptr)) return nullptr;
    decimal->hash = -1;
    decimal->flags = static_cast<std::uint8_t>(internals::decimal_static | (negative ? internals::decimal_negative : 0));
    decimal->exponent = static_cast<Py_ssize_t>(exponent);
    decimal->digits = digits;
    decimal->length = count;
    decimal->allocated = decimal_inline_words;
    decimal->words = decimal->inline_words;
    words = decimal->inline_words;
    return reinterpret_cast<PyObject*>(decimal);
}

// Decimal digits of a number; 1 for zero.
BAREWIRE_INLINE int count_digits(std::uint64_t number) noexcept {
    int count = 1;
    for (std::uint64_t limit = 10; number >= limit; limit *= 10) {
        if (++count == 20) break;  // the next limit would overflow
    }
    return count;
}

// coefficient x 10^exponent with a coefficient of at most 19 digits.
BAREWIRE_INLINE PyObject* small_decimal(PyTypeObject* type, bool negative, std::uint64_t coefficient,
                                        std::int64_t exponent) noexcept {
    std::uint64_t* words = nullptr;
    PyObject* decimal = new_decimal(type, negative, exponent, count_digits(coefficient), 1, words);
    if (BAREWIRE_LIKELY(decimal != nullptr)) words[0] = coefficient;
    return decimal;
}

}  // namespace barewire::py
