// Types that become the server's own text: bits, macaddr, geometric types, tid, pg_lsn.
#include <charconv>
#include <string>

#include "base/bytes.h"
#include "walk/float_text.h"
#include "walk/pg_decoder.h"

namespace barewire::walk {

namespace pg = wire::pg;
using base::load_big;
using py::Ref;

namespace {

PyObject* ascii(const std::string& text) {
    return PyUnicode_DecodeASCII(text.data(), static_cast<Py_ssize_t>(text.size()), nullptr);
}

PyObject* bits(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size) {
    if (size < 4) return fail_pg_bytes(decoding, type);
    const auto count = load_big<std::int32_t>(data);
    if (count < 0 || size - 4 != (static_cast<std::size_t>(count) + 7) / 8) return fail_pg_bytes(decoding, type);
    PyObject* text = PyUnicode_New(count, 127);
    if (text == nullptr || count == 0) return text;
    auto* at = PyUnicode_1BYTE_DATA(text);
    for (std::int32_t i = 0; i < count; ++i) {
        at[i] = static_cast<Py_UCS1>('0' + (data[4 + i / 8] >> (7 - i % 8) & 1));
    }
    return text;
}

PyObject* mac(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size) {
    if (size != (type.kind == PgKind::macaddr ? 6u : 8u)) return fail_pg_bytes(decoding, type);
    constexpr char digits[] = "0123456789abcdef";
    PyObject* text = PyUnicode_New(static_cast<Py_ssize_t>(size * 3 - 1), 127);
    if (text == nullptr) return nullptr;
    auto* at = PyUnicode_1BYTE_DATA(text);
    for (std::size_t i = 0; i < size; ++i) {
        if (i != 0) *at++ = ':';
        *at++ = static_cast<Py_UCS1>(digits[data[i] >> 4]);
        *at++ = static_cast<Py_UCS1>(digits[data[i] & 15]);
    }
    return text;
}

PyObject* ascii(const char* text, const char* end) { return PyUnicode_DecodeASCII(text, end - text, nullptr); }

PyObject* lsn(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size) {
    if (size != 8) return fail_pg_bytes(decoding, type);
    char text[24];
    char* at = std::to_chars(text, text + 8, load_big<std::uint32_t>(data), 16).ptr;
    *at++ = '/';
    at = std::to_chars(at, at + 8, load_big<std::uint32_t>(data + 4), 16).ptr;
    for (char* digit = text; digit != at; ++digit) {
        if (*digit >= 'a') *digit = static_cast<char>(*digit - 'a' + 'A');
    }
    return ascii(text, at);
}

PyObject* tid(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size) {
    if (size != 6) return fail_pg_bytes(decoding, type);
    char text[24];
    char* at = text;
    *at++ = '(';
    at = std::to_chars(at, at + 10, load_big<std::uint32_t>(data)).ptr;
    *at++ = ',';
    at = std::to_chars(at, at + 5, load_big<std::uint16_t>(data + 4)).ptr;
    *at++ = ')';
    return ascii(text, at);
}

// The most frequent figure, without a growing text.
PyObject* point(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size) {
    pg::Reader reader(data, size);
    double x, y;
    if (!reader.take_double(x) || !reader.take_double(y) || !reader.at_end()) return fail_pg_bytes(decoding, type);
    char text[2 * longest_float_text + 3];
    char* at = text;
    *at++ = '(';
    std::size_t length = put_float_text(at, x);
    if (length == 0) return nullptr;
    at += length;
    *at++ = ',';
    length = put_float_text(at, y);
    if (length == 0) return nullptr;
    at += length;
    *at++ = ')';
    return ascii(text, at);
}

bool append_number(std::string& out, double number) {
    char text[longest_float_text];
    const std::size_t size = put_float_text(text, number);
    out.append(text, size);
    return size != 0;
}

// "x,y" of the next two numbers.
bool append_pair(std::string& out, pg::Reader& reader) {
    double x, y;
    if (!reader.take_double(x) || !reader.take_double(y) || !append_number(out, x)) return false;
    out += ',';
    return append_number(out, y);
}

// "(x,y),(x,y),..." of `count` points.
bool append_points(std::string& out, pg::Reader& reader, std::int32_t count) {
    for (std::int32_t i = 0; i < count; ++i) {
        out += i == 0 ? "(" : ",(";
        if (!append_pair(out, reader)) return false;
        out += ')';
    }
    return true;
}

bool append_figure(std::string& out, PgKind kind, pg::Reader& reader) {
    double number;
    std::int32_t count = 0;
    std::uint8_t closed = 1;
    switch (kind) {
        case PgKind::box: return append_points(out, reader, 2);
        case PgKind::lseg:
            out += '[';
            if (!append_points(out, reader, 2)) return false;
            out += ']';
            return true;
        case PgKind::line:
            out += '{';
            if (!append_pair(out, reader) || !reader.take_double(number)) return false;
            out += ',';
            if (!append_number(out, number)) return false;
            out += '}';
            return true;
        case PgKind::circle:
            out += '<';
            if (!append_points(out, reader, 1) || !reader.take_double(number)) return false;
            out += ',';
            if (!append_number(out, number)) return false;
            out += '>';
            return true;
        default: break;
    }
    if (kind == PgKind::path && !reader.take(closed)) return false;
    if (!reader.take(count) || count < 0 || static_cast<std::size_t>(count) > reader.left() / 16) return false;
    out += closed ? '(' : '[';
    if (!append_points(out, reader, count)) return false;
    out += closed ? ')' : ']';
    return true;
}

PyObject* geometric(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size) {
    pg::Reader reader(data, size);
    std::string text;
    if (!append_figure(text, type.kind, reader) || !reader.at_end()) {
        return PyErr_Occurred() ? nullptr : fail_pg_bytes(decoding, type);
    }
    return ascii(text);
}

}  // namespace

PyObject* read_pg_spelled(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size) {
    switch (type.kind) {
        case PgKind::bits: return bits(decoding, type, data, size);
        case PgKind::macaddr:
        case PgKind::macaddr8: return mac(decoding, type, data, size);
        case PgKind::lsn: return lsn(decoding, type, data, size);
        case PgKind::point: return point(decoding, type, data, size);
        case PgKind::tid: return tid(decoding, type, data, size);
        default: return geometric(decoding, type, data, size);
    }
}

}  // namespace barewire::walk
