// numeric, money, text in other encodings, labels, uuid and addresses.
#include <cstring>
#include <string>

#include "base/buffer.h"
#include "base/bytes.h"
#include "py/internals/decimal.h"
#include "py/internals/integer_build.h"
#include "py/text_build.h"
#include "walk/pg_decoder.h"
#include "wire/pg/numeric.h"

namespace barewire::walk {

namespace pg = wire::pg;
using base::load_big;
using py::Ref;

namespace {

constexpr int most_inline_digits = py::decimal_word_digits * py::decimal_inline_words;

PyObject* decimal_from_text(const PgKinds& kinds, const char* text, std::size_t size) {
    Ref string = Ref::steal(PyUnicode_FromStringAndSize(text, static_cast<Py_ssize_t>(size)));
    return string ? PyObject_CallOneArg(kinds.decimal.get(), string.get()) : nullptr;
}

// A coefficient of more than 19 digits as words, the lowest first.
PyObject* decimal_from_digits(const PgKinds& kinds, const pg::NumericValue& value, const std::uint8_t* digits, int count) {
    const int words_needed = (count + py::decimal_word_digits - 1) / py::decimal_word_digits;
    std::uint64_t* words = nullptr;
    PyObject* decimal = py::new_decimal(kinds.decimal_type(), value.sign == pg::numeric_negative, -value.scale, count,
                                        words_needed, words);
    if (decimal == nullptr) return nullptr;
    int end = count;
    for (int i = 0; i < words_needed; ++i) {
        const int start = end > py::decimal_word_digits ? end - py::decimal_word_digits : 0;
        std::uint64_t word = 0;
        for (int k = start; k < end; ++k) word = word * 10 + (digits[k] - '0');
        words[i] = word;
        end = start;
    }
    return decimal;
}

}  // namespace

PyObject* read_pg_numeric(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size) {
    const PgKinds& kinds = decoding.kinds;
    pg::NumericValue value;
    if (BAREWIRE_UNLIKELY(!pg::read_numeric(data, size, value))) return fail_pg_bytes(decoding, type);
    std::uint64_t coefficient = 0;
    if (BAREWIRE_LIKELY(kinds.decimal_in_place && value.is_finite() && pg::small_coefficient(value, coefficient))) {
        return py::small_decimal(kinds.decimal_type(), value.sign == pg::numeric_negative, coefficient, -value.scale);
    }
    base::Buffer text;
    if (kinds.decimal_in_place && value.is_finite()) {
        if (!pg::append_coefficient(value, text)) return PyErr_NoMemory();
        const auto count = static_cast<int>(text.size() < most_inline_digits + 1u ? text.size() : most_inline_digits + 1u);
        if (count > 0 && count <= most_inline_digits) return decimal_from_digits(kinds, value, text.data(), count);
        text.clear();
    }
    if (!pg::append_numeric_text(value, text)) return PyErr_NoMemory();
    return decimal_from_text(kinds, reinterpret_cast<const char*>(text.data()), text.size());
}

PyObject* read_pg_money(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size) {
    if (size != 8) return fail_pg_bytes(decoding, type);
    const auto minor = load_big<std::int64_t>(data);
    const bool negative = minor < 0;
    const std::uint64_t magnitude = negative ? 0 - static_cast<std::uint64_t>(minor) : static_cast<std::uint64_t>(minor);
    if (decoding.kinds.decimal_in_place) return py::small_decimal(decoding.kinds.decimal_type(), negative, magnitude, -2);
    std::uint8_t numeric[pg::small_numeric_size];
    const std::uint8_t* end = pg::put_small_numeric(numeric, negative, magnitude, -2);
    pg::NumericValue value;
    base::Buffer text;
    if (!pg::read_numeric(numeric, static_cast<std::size_t>(end - numeric), value) || !pg::append_numeric_text(value, text)) {
        return PyErr_NoMemory();
    }
    return decimal_from_text(decoding.kinds, reinterpret_cast<const char*>(text.data()), text.size());
}

PyObject* read_pg_text(PgDecoding& decoding, const std::uint8_t* data, std::size_t size) {
    const std::string& encoding = decoding.settings.encoding;
    const auto* text = reinterpret_cast<const char*>(data);
    if (BAREWIRE_LIKELY(encoding.empty())) return py::text_from_utf8(data, size, nullptr);
    if (encoding == "bytes") return PyBytes_FromStringAndSize(text, static_cast<Py_ssize_t>(size));
    return PyUnicode_Decode(text, static_cast<Py_ssize_t>(size), encoding.c_str(), "strict");
}

PyObject* read_pg_enumeration(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size) {
    Ref label = Ref::steal(read_pg_text(decoding, data, size));
    if (!label || !type.members) return label.release();
    PyObject* member = PyDict_GetItemWithError(type.members.get(), label.get());
    if (member != nullptr) return Ref::share(member).release();
    if (PyErr_Occurred()) return nullptr;
    PyErr_Format(decoding.kinds.data_error.get(), "bad member for enum %s: %R", type.name.c_str(), label.get());
    return nullptr;
}

PyObject* read_pg_uuid(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size) {
    if (BAREWIRE_UNLIKELY(size != 16)) return fail_pg_bytes(decoding, type);
    const PgKinds& kinds = decoding.kinds;
    if (BAREWIRE_LIKELY(kinds.uuid_slots.native())) {
        Ref number = Ref::steal(py::integer_from_words(load_big<std::uint64_t>(data), load_big<std::uint64_t>(data + 8)));
        if (!number) return nullptr;
        PyObject* instance = kinds.uuid_slots.allocate();
        if (instance == nullptr) return nullptr;
        kinds.uuid_slots.slot(instance, 0) = number.release();
        kinds.uuid_slots.slot(instance, 1) = kinds.safe_uuid_unknown.shared();
        return instance;
    }
    Ref bytes = Ref::steal(PyBytes_FromStringAndSize(reinterpret_cast<const char*>(data), 16));
    if (!bytes) return nullptr;
    PyObject* arguments[] = {Py_None, bytes.get()};
    return PyObject_Vectorcall(kinds.uuid.get(), arguments, 2, nullptr);
}

namespace {

constexpr std::uint8_t family_4 = 2, family_6 = 3;

// The public constructor with the bytes of the address, or with (bytes, prefix).
PyObject* by_constructor(PyObject* type, const std::uint8_t* address, std::size_t size, int prefix) {
    Ref packed = Ref::steal(PyBytes_FromStringAndSize(reinterpret_cast<const char*>(address), static_cast<Py_ssize_t>(size)));
    if (!packed) return nullptr;
    if (prefix < 0) return PyObject_CallOneArg(type, packed.get());
    Ref pair = Ref::steal(Py_BuildValue("(Oi)", packed.get(), prefix));
    return pair ? PyObject_CallOneArg(type, pair.get()) : nullptr;
}

PyObject* new_address(const PgKinds& kinds, const std::uint8_t* address, bool six) {
    const py::SlotClass& slots = six ? kinds.ipv6_slots : kinds.ipv4_slots;
    if (BAREWIRE_UNLIKELY(!slots.native())) {
        return by_constructor((six ? kinds.ipv6_address : kinds.ipv4_address).get(), address, six ? 16 : 4, -1);
    }
    Ref number = Ref::steal(six ? py::integer_from_words(load_big<std::uint64_t>(address), load_big<std::uint64_t>(address + 8))
                                : PyLong_FromUnsignedLong(load_big<std::uint32_t>(address)));
    if (!number) return nullptr;
    PyObject* instance = slots.allocate();
    if (instance == nullptr) return nullptr;
    slots.slot(instance, 0) = number.release();
    if (six) slots.slot(instance, 1) = Ref::none().release();
    return instance;
}

}  // namespace

PyObject* read_pg_network(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size) {
    const PgKinds& kinds = decoding.kinds;
    const bool six = size == 20;
    if (BAREWIRE_UNLIKELY((size != 8 && size != 20) || data[0] != (six ? family_6 : family_4) || data[3] != size - 4 ||
                          data[1] > (size - 4) * 8)) {
        return fail_pg_bytes(decoding, type);
    }
    const std::uint8_t* address = data + 4;
    const int prefix = data[1];
    if (type.kind == PgKind::inet) {
        if (BAREWIRE_LIKELY(prefix == (six ? 128 : 32))) return new_address(kinds, address, six);
        return by_constructor((six ? kinds.ipv6_interface : kinds.ipv4_interface).get(), address, size - 4, prefix);
    }
    PyObject* network = by_constructor((six ? kinds.ipv6_network : kinds.ipv4_network).get(), address, size - 4, prefix);
    if (network != nullptr || !PyErr_ExceptionMatches(PyExc_ValueError)) return network;
    PyErr_Clear();
    return fail_pg_bytes(decoding, type);  // bits set behind the prefix
}

}  // namespace barewire::walk
