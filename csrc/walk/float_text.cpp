// Layout of the shortest digits, which the standard library finds (or CPython, where that one cannot).
#include "walk/float_text.h"

#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "py/python.h"

namespace barewire::walk {

namespace {

char* put_text(char* at, const char* text, std::size_t size) {
    std::memcpy(at, text, size);
    return at + size;
}

char* put_zeros(char* at, int count) {
    for (; count > 0; --count) *at++ = '0';
    return at;
}

// Shortest text of a finite number in any form; false with MemoryError set.
bool shortest_text(char (&text)[longest_float_text], double number) {
#if defined(__cpp_lib_to_chars) && __cpp_lib_to_chars >= 201611L
    *std::to_chars(text, text + sizeof text - 1, number, std::chars_format::scientific).ptr = 0;
    return true;
#else
    char* made = PyOS_double_to_string(number, 'r', 0, 0, nullptr);
    if (made == nullptr) return false;
    std::strncpy(text, made, sizeof text - 1);
    text[sizeof text - 1] = 0;
    PyMem_Free(made);
    return true;
#endif
}

// The digits without point and outer zeros, and the exponent of the first one.
struct Digits {
    char text[longest_float_text];
    int count = 0;
    int exponent = 0;
};

void take_digits(const char* at, Digits& digits) {
    int point = -1, seen = 0;
    for (; *at != 0 && *at != 'e'; ++at) {
        if (*at == '.') {
            point = seen;
            continue;
        }
        ++seen;
        if (*at == '0' && digits.count == 0) continue;
        if (digits.count == 0) digits.exponent = -seen;
        digits.text[digits.count++] = *at;
    }
    digits.exponent += (point < 0 ? seen : point);
    if (*at == 'e') digits.exponent += std::atoi(at + 1);
    while (digits.count > 1 && digits.text[digits.count - 1] == '0') --digits.count;
}

}  // namespace

std::size_t put_float_text(char* out, double number) {
    char* at = out;
    const auto length = [&] { return static_cast<std::size_t>(at - out); };
    if (number != number) {
        at = put_text(at, "NaN", 3);
        return length();
    }
    if (std::signbit(number)) {
        *at++ = '-';
        number = -number;
    }
    if (number - number != 0) {
        at = put_text(at, "Infinity", 8);
        return length();
    }
    // Most are whole numbers.
    if (number < 1e15 && number == std::trunc(number)) {
        at = std::to_chars(at, at + 20, static_cast<long long>(number)).ptr;
        return length();
    }
    char text[longest_float_text];
    if (!shortest_text(text, number)) return 0;
    Digits digits;
    take_digits(text, digits);
    const int exponent = digits.exponent;
    if (exponent < -4 || exponent >= 15) {
        *at++ = digits.text[0];
        if (digits.count > 1) {
            *at++ = '.';
            at = put_text(at, digits.text + 1, static_cast<std::size_t>(digits.count) - 1);
        }
        *at++ = 'e';
        *at++ = exponent < 0 ? '-' : '+';
        const int magnitude = std::abs(exponent);
        if (magnitude < 10) *at++ = '0';
        at = std::to_chars(at, at + 4, magnitude).ptr;
    } else if (exponent < 0) {
        at = put_zeros(put_text(at, "0.", 2), -exponent - 1);
        at = put_text(at, digits.text, static_cast<std::size_t>(digits.count));
    } else if (digits.count <= exponent + 1) {
        at = put_text(at, digits.text, static_cast<std::size_t>(digits.count));
        at = put_zeros(at, exponent + 1 - digits.count);
    } else {
        at = put_text(at, digits.text, static_cast<std::size_t>(exponent) + 1);
        *at++ = '.';
        at = put_text(at, digits.text + exponent + 1, static_cast<std::size_t>(digits.count - exponent - 1));
    }
    return length();
}

}  // namespace barewire::walk
