// Numbers that are not plain ints and floats: other classes, 64 unsigned bits, numeric, money.
#include <cmath>
#include <cstring>
#include <limits>

#include "py/internals/decimal.h"
#include "py/internals/integer.h"
#include "py/internals/text.h"
#include "walk/pg_encoder.h"
#include "wire/pg/numeric.h"

namespace barewire::walk {

namespace pg = wire::pg;
using py::Ref;

namespace {

// An int of an object that is not one but says it is (__index__, such as NumPy's); a plain subclass is its own.
Ref as_integer(PgEncoder& encoder, const PgType& type, PyObject* value) {
    if (PyLong_Check(value)) return Ref::share(value);
    const PyNumberMethods* methods = Py_TYPE(value)->tp_as_number;
    if (methods == nullptr || methods->nb_index == nullptr) {
        fail_pg_type(encoder, type, value, "int");
        return {};
    }
    ++encoder.user_code;
    Ref held = Ref::share(value);
    return Ref::steal(PyNumber_Index(value));
}

}  // namespace

bool pg_integer(PgEncoder& encoder, const PgType& type, PyObject* value, std::int64_t& number) {
    Ref integer = as_integer(encoder, type, value);
    if (!integer) return false;
    if (py::int64_value(integer.get(), number)) return true;
    if (PyErr_Occurred()) return false;
    return fail_pg_range(encoder, type, "out of range");
}

bool write_pg_uint8(PgEncoder& encoder, const PgType& type, PyObject* value) {
    Ref integer = as_integer(encoder, type, value);
    if (!integer || !encoder.reserve(8)) return false;
    const unsigned long long number = PyLong_AsUnsignedLongLong(integer.get());
    if (number == static_cast<unsigned long long>(-1) && PyErr_Occurred()) {
        if (!PyErr_ExceptionMatches(PyExc_OverflowError)) return false;
        PyErr_Clear();
        return fail_pg_range(encoder, type, "out of range");
    }
    encoder.advance_to(pg::put(encoder.tail(), static_cast<std::uint64_t>(number)));
    return true;
}

bool pg_float(PgEncoder& encoder, const PgType& type, PyObject* value, double& number) {
    if (PyFloat_Check(value)) {
        number = PyFloat_AS_DOUBLE(value);
        return true;
    }
    const PyNumberMethods* methods = Py_TYPE(value)->tp_as_number;
    if (methods == nullptr || (methods->nb_float == nullptr && methods->nb_index == nullptr)) {
        return fail_pg_type(encoder, type, value, "float");
    }
    ++encoder.user_code;
    Ref held = Ref::share(value);
    number = PyFloat_AsDouble(value);
    if (number != -1.0 || !PyErr_Occurred()) return true;
    if (!PyErr_ExceptionMatches(PyExc_OverflowError)) return false;
    PyErr_Clear();
    return fail_pg_range(encoder, type, "out of range");
}

namespace {

bool write_special(PgEncoder& encoder, std::uint16_t sign) {
    if (!encoder.reserve(pg::numeric_head_size)) return false;
    encoder.advance_to(pg::put_special_numeric(encoder.tail(), sign));
    return true;
}

bool write_small(PgEncoder& encoder, const PgType& type, bool negative, std::uint64_t coefficient,
                 std::int64_t exponent) {
    if (!encoder.reserve(pg::small_numeric_size)) return false;
    std::uint8_t* end = pg::put_small_numeric(encoder.tail(), negative, coefficient, exponent);
    if (end == nullptr) {
        return fail_pg_value(encoder, type, exponent < 0 ? pg::numeric_too_precise : pg::numeric_too_large);
    }
    encoder.advance_to(end);
    return true;
}

bool write_digits(PgEncoder& encoder, const PgType& type, bool negative, const char* digits, std::size_t count,
                  std::int64_t exponent) {
    const base::Status status = pg::append_numeric(encoder.flushed(), negative, digits, count, exponent);
    encoder.attach();
    if (status) return true;
    if (status.message == pg::numeric_too_large || status.message == pg::numeric_too_precise) {
        return fail_pg_value(encoder, type, status.message);
    }
    PyErr_NoMemory();
    return false;
}

// The words of a coefficient as decimal digits.
bool write_words(PgEncoder& encoder, const PgType& type, const py::DecimalParts& parts) {
    base::Buffer digits;
    if (!digits.reserve(parts.count * py::decimal_word_digits)) {
        PyErr_NoMemory();
        return false;
    }
    char* at = reinterpret_cast<char*>(digits.tail());
    for (std::size_t i = parts.count; i-- > 0; at += py::decimal_word_digits) {
        std::uint64_t word = parts.words[i];
        for (int k = py::decimal_word_digits; k-- > 0; word /= 10) at[k] = static_cast<char>('0' + word % 10);
    }
    return write_digits(encoder, type, parts.negative, reinterpret_cast<const char*>(digits.tail()),
                        parts.count * py::decimal_word_digits, parts.exponent);
}

bool write_decimal_in_place(PgEncoder& encoder, const PgType& type, PyObject* value) {
    const py::DecimalParts parts = py::decimal_parts(value);
    if (BAREWIRE_UNLIKELY(parts.nan)) return write_special(encoder, pg::numeric_nan);
    if (BAREWIRE_UNLIKELY(parts.infinite)) {
        return write_special(encoder, parts.negative ? pg::numeric_minus_infinity : pg::numeric_infinity);
    }
    if (BAREWIRE_LIKELY(parts.count == 1)) {
        return write_small(encoder, type, parts.negative, parts.words[0], parts.exponent);
    }
    return write_words(encoder, type, parts);
}

// Text as str(Decimal) or repr(float) give it: sign, digits with a point, exponent; or a special value.
bool write_decimal_text(PgEncoder& encoder, const PgType& type, const char* text, std::size_t size) {
    const char* const end = text + size;
    const bool negative = text != end && *text == '-';
    if (text != end && (*text == '-' || *text == '+')) ++text;
    if (text == end) return fail_pg_value(encoder, type, "no number");
    if (*text == 'I' || *text == 'i') {
        return write_special(encoder, negative ? pg::numeric_minus_infinity : pg::numeric_infinity);
    }
    if (*text == 'N' || *text == 'n' || *text == 's') return write_special(encoder, pg::numeric_nan);
    base::Buffer digits;
    if (!digits.reserve(size)) {
        PyErr_NoMemory();
        return false;
    }
    std::int64_t exponent = 0;
    bool behind_point = false;
    for (; text != end && *text != 'E' && *text != 'e'; ++text) {
        if (*text == '.') {
            behind_point = true;
            continue;
        }
        if (*text < '0' || *text > '9') return fail_pg_value(encoder, type, "no number");
        *digits.tail() = static_cast<std::uint8_t>(*text);
        digits.advance(1);
        exponent -= behind_point;
    }
    if (text != end) {
        ++text;
        const bool below = text != end && *text == '-';
        if (text != end && (*text == '-' || *text == '+')) ++text;
        std::int64_t stated = 0;
        for (; text != end; ++text) {
            if (*text < '0' || *text > '9') return fail_pg_value(encoder, type, "no number");
            if (stated < std::int64_t{1} << 50) stated = stated * 10 + (*text - '0');
        }
        exponent += below ? -stated : stated;
    }
    return write_digits(encoder, type, negative, reinterpret_cast<const char*>(digits.data()), digits.size(), exponent);
}

bool write_text_of(PgEncoder& encoder, const PgType& type, Ref text) {
    if (!text) return false;
    const py::Utf8 bytes = py::utf8(text.get());
    return bytes.data != nullptr && write_decimal_text(encoder, type, bytes.data, static_cast<std::size_t>(bytes.size));
}

// A Decimal of any class, by the text that decimal.Decimal itself gives it.
bool write_decimal(PgEncoder& encoder, const PgType& type, PyObject* value) {
    ++encoder.user_code;
    Ref held = Ref::share(value);
    return write_text_of(encoder, type, Ref::steal(encoder.kinds.decimal_type()->tp_str(value)));
}

// An int outside of 64 bits goes by way of Decimal: str(int) has a limit and takes quadratic time.
bool write_large_integer(PgEncoder& encoder, const PgType& type, PyObject* value) {
    Ref decimal = Ref::steal(PyObject_CallOneArg(encoder.kinds.decimal.get(), value));
    return decimal && write_pg_numeric(encoder, type, decimal.get());
}

std::uint64_t magnitude(std::int64_t number) noexcept {
    return number < 0 ? 0 - static_cast<std::uint64_t>(number) : static_cast<std::uint64_t>(number);
}

}  // namespace

bool write_pg_numeric(PgEncoder& encoder, const PgType& type, PyObject* value) {
    const PgKinds& kinds = encoder.kinds;
    if (BAREWIRE_LIKELY(Py_TYPE(value) == kinds.decimal_type() && kinds.decimal_in_place)) {
        return write_decimal_in_place(encoder, type, value);
    }
    if (PyLong_Check(value)) {
        std::int64_t number = 0;
        if (!py::int64_value(value, number)) return !PyErr_Occurred() && write_large_integer(encoder, type, value);
        return write_small(encoder, type, number < 0, magnitude(number), 0);
    }
    if (PyObject_TypeCheck(value, kinds.decimal_type())) return write_decimal(encoder, type, value);
    if (PyFloat_Check(value)) {
        // The shortest text that gives the same float again, which is what its owner means by it.
        return write_text_of(encoder, type, Ref::steal(PyFloat_Type.tp_repr(value)));
    }
    const PyNumberMethods* methods = Py_TYPE(value)->tp_as_number;
    if (methods == nullptr || methods->nb_index == nullptr) return fail_pg_type(encoder, type, value, "Decimal or int");
    Ref integer = as_integer(encoder, type, value);
    return integer && PyLong_Check(integer.get()) && write_pg_numeric(encoder, type, integer.get());
}

bool write_pg_money(PgEncoder& encoder, const PgType& type, PyObject* value) {
    // Two digits behind the point, as nearly every lc_monetary has it; the numeric form is a detour, but an exact one.
    const std::size_t start = encoder.size();
    if (PyFloat_Check(value)) return fail_pg_type(encoder, type, value, "Decimal or int");
    if (!write_pg_numeric(encoder, type, value)) return false;
    pg::NumericValue number;
    const base::Status status = pg::read_numeric(encoder.data() + start, encoder.size() - start, number);
    if (!status || !number.is_finite()) return fail_pg_value(encoder, type, "not finite");
    if (number.scale > 2) {
        // Digits that money has no place for must be zeros.
        const int groups_behind = number.count - 1 - number.weight;
        unsigned last = groups_behind == 1 ? base::load_big<std::uint16_t>(number.digits + 2 * (number.count - 1)) : 0;
        if (groups_behind > 1 || last % 100 != 0) return fail_pg_value(encoder, type, "more than two digits behind the point");
    }
    const std::uint64_t most = std::uint64_t{1} << 63;
    const bool negative = number.sign == pg::numeric_negative;
    if (number.weight > 4) return fail_pg_range(encoder, type, "out of range");
    unsigned __int128 sum = 0;
    for (int i = 0; i <= number.weight + 1; ++i) {
        const unsigned group = i < number.count ? base::load_big<std::uint16_t>(number.digits + 2 * i) : 0;
        sum = sum * 10000 + group;
    }
    sum /= 100;
    if (sum > most || (sum == most && !negative)) return fail_pg_range(encoder, type, "out of range");
    const auto minor = static_cast<std::uint64_t>(sum);
    encoder.cut_back(start);
    if (!encoder.reserve(8)) return false;
    encoder.advance_to(pg::put(encoder.tail(), negative ? 0 - minor : minor));
    return true;
}

}  // namespace barewire::walk
