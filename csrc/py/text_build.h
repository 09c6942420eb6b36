// str objects from UTF-8 bytes, with a short way for ASCII; reading str objects is in internals/text.h.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/macros.h"
#include "py/python.h"

namespace barewire::py {

// True if no byte has its top bit set.
BAREWIRE_INLINE bool is_ascii(const std::uint8_t* at, std::size_t size) noexcept {
    constexpr std::uint64_t tops = 0x8080808080808080u;
    if (size >= 8) {
        std::uint64_t seen = 0, word;
        std::size_t i = 0;
        for (; i + 8 <= size; i += 8) {
            std::memcpy(&word, at + i, 8);
            seen |= word;
        }
        std::memcpy(&word, at + size - 8, 8);  // the last bytes, overlapping what was seen
        return ((seen | word) & tops) == 0;
    }
    if (size >= 4) {
        std::uint32_t first, last;
        std::memcpy(&first, at, 4);
        std::memcpy(&last, at + size - 4, 4);
        return ((first | last) & static_cast<std::uint32_t>(tops)) == 0;
    }
    return size == 0 || ((at[0] | at[size / 2] | at[size - 1]) & 0x80) == 0;
}

// New str; `errors` is the error handler, nullptr for strict. nullptr with UnicodeDecodeError (or the handler's error) set.
BAREWIRE_INLINE PyObject* text_from_utf8(const std::uint8_t* at, std::size_t size, const char* errors) noexcept {
    // The empty and one-character strings are shared by the interpreter; PyUnicode_DecodeUTF8 knows them.
    if (BAREWIRE_LIKELY(size > 1 && is_ascii(at, size))) {
        PyObject* text = PyUnicode_New(static_cast<Py_ssize_t>(size), 127);
        if (BAREWIRE_LIKELY(text != nullptr)) std::memcpy(PyUnicode_1BYTE_DATA(text), at, size);
        return text;
    }
    return PyUnicode_DecodeUTF8(reinterpret_cast<const char*>(at), static_cast<Py_ssize_t>(size), errors);
}

}  // namespace barewire::py
