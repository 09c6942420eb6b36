// Types whose Python value is the server's own text: bits, macaddr, geometric types, tid, pg_lsn.
#include <string>
#include <vector>

#include "py/internals/list.h"
#include "py/internals/text.h"
#include "walk/pg_encoder.h"

namespace barewire::walk {

namespace pg = wire::pg;
using py::Ref;

namespace {

bool fail_spelling(PgEncoder& encoder, const PgType& type) {
    return fail_pg_value(encoder, type, "not spelled as the server spells it");
}

bool is_space(char byte) noexcept { return byte == ' ' || (byte >= '\t' && byte <= '\r'); }

int hex_digit(char byte) noexcept {
    if (byte >= '0' && byte <= '9') return byte - '0';
    const char lower = static_cast<char>(byte | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool write_bits(PgEncoder& encoder, const PgType& type, py::Utf8 text) {
    const auto count = static_cast<std::size_t>(text.size);
    if (!encoder.reserve(4 + (count + 7) / 8)) return false;
    std::uint8_t* at = pg::put(encoder.tail(), static_cast<std::int32_t>(count));
    unsigned byte = 0;
    for (std::size_t i = 0; i < count; ++i) {
        if (text.data[i] != '0' && text.data[i] != '1') return fail_spelling(encoder, type);
        byte = byte << 1 | static_cast<unsigned>(text.data[i] == '1');
        if (i % 8 == 7) *at++ = static_cast<std::uint8_t>(byte);
    }
    if (count % 8 != 0) *at++ = static_cast<std::uint8_t>(byte << (8 - count % 8));
    encoder.advance_to(at);
    return true;
}

bool write_mac(PgEncoder& encoder, const PgType& type, py::Utf8 text) {
    std::uint8_t bytes[8] = {};
    int digits = 0;
    const int most = type.kind == PgKind::macaddr ? 12 : 16;
    for (Py_ssize_t i = 0; i < text.size; ++i) {
        const char byte = text.data[i];
        const int value = hex_digit(byte);
        if (value < 0) {
            // Separators stand between whole bytes.
            if ((byte == ':' || byte == '-' || byte == '.') && digits != 0 && digits % 2 == 0) continue;
            if (is_space(byte) && (digits == 0 || digits >= 12)) continue;
            return fail_spelling(encoder, type);
        }
        if (digits == most) return fail_spelling(encoder, type);
        bytes[digits / 2] = static_cast<std::uint8_t>(bytes[digits / 2] << 4 | value);
        ++digits;
    }
    if (digits == 12 && most == 16) {
        // Six bytes become eight as the server does it: ff:fe in the middle.
        for (int i = 5; i >= 3; --i) bytes[i + 2] = bytes[i];
        bytes[3] = 0xff;
        bytes[4] = 0xfe;
        digits = 16;
    }
    if (digits != most) return fail_spelling(encoder, type);
    if (!encoder.reserve(8)) return false;
    encoder.advance_to(pg::put_bytes(encoder.tail(), bytes, static_cast<std::size_t>(most) / 2));
    return true;
}

bool write_lsn(PgEncoder& encoder, const PgType& type, py::Utf8 text) {
    std::uint64_t halves[2] = {0, 0};
    int digits[2] = {0, 0}, half = 0;
    for (Py_ssize_t i = 0; i < text.size; ++i) {
        if (text.data[i] == '/' && half == 0) {
            half = 1;
            continue;
        }
        const int value = hex_digit(text.data[i]);
        if (value < 0 || ++digits[half] > 8) return fail_spelling(encoder, type);
        halves[half] = halves[half] << 4 | static_cast<unsigned>(value);
    }
    if (digits[0] == 0 || digits[1] == 0) return fail_spelling(encoder, type);
    if (!encoder.reserve(8)) return false;
    encoder.advance_to(pg::put(encoder.tail(), halves[0] << 32 | halves[1]));
    return true;
}

bool write_tid(PgEncoder& encoder, const PgType& type, py::Utf8 text) {
    unsigned long long numbers[2] = {0, 0};
    int digits[2] = {0, 0}, part = -1;
    bool closed = false;
    for (Py_ssize_t i = 0; i < text.size; ++i) {
        const char byte = text.data[i];
        if (is_space(byte)) continue;
        if (closed) return fail_spelling(encoder, type);
        if (byte == '(' && part == -1) {
            part = 0;
        } else if (byte == ',' && part == 0 && digits[0] != 0) {
            part = 1;
        } else if (byte == ')' && part == 1 && digits[1] != 0) {
            closed = true;
        } else if (byte >= '0' && byte <= '9' && part >= 0 && ++digits[part] <= 10) {
            numbers[part] = numbers[part] * 10 + static_cast<unsigned>(byte - '0');
        } else {
            return fail_spelling(encoder, type);
        }
    }
    if (!closed || numbers[0] > 0xffffffffu || numbers[1] > 0xffffu) return fail_spelling(encoder, type);
    if (!encoder.reserve(6)) return false;
    std::uint8_t* at = pg::put(encoder.tail(), static_cast<std::uint32_t>(numbers[0]));
    encoder.advance_to(pg::put(at, static_cast<std::uint16_t>(numbers[1])));
    return true;
}

// The numbers of a geometric value, in the order in which they are sent, and for a path whether it is closed.
struct Figure {
    std::vector<double> numbers;
    bool closed = true;
};

// Text such as "((1,2),(3,4))", "[(1,2)]", "<(1,2),3>", "{1,2,3}": brackets are only checked for balance, because the server
// itself lets most of them be left out.
bool read_figure(PgEncoder& encoder, const PgType& type, py::Utf8 text, Figure& figure) {
    std::string open;
    bool wants_number = true;
    const char* at = text.data;
    const char* const end = text.data + text.size;
    if (text.size != 0 && *at == '[') figure.closed = false;
    while (at != end) {
        const char byte = *at;
        if (is_space(byte)) {
            ++at;
        } else if (byte == '(' || byte == '[' || byte == '{' || byte == '<') {
            if (!wants_number) return fail_spelling(encoder, type);
            open += byte == '(' ? ')' : byte == '[' ? ']' : byte == '{' ? '}' : '>';
            ++at;
        } else if (!open.empty() && byte == open.back()) {
            if (wants_number) return fail_spelling(encoder, type);
            open.pop_back();
            ++at;
        } else if (byte == ',') {
            if (wants_number) return fail_spelling(encoder, type);
            wants_number = true;
            ++at;
        } else {
            // PyOS_string_to_double knows no locale; it reads up to the first byte that is no part of a number.
            char* behind = nullptr;
            const double number = wants_number ? PyOS_string_to_double(at, &behind, nullptr) : -1.0;
            if (!wants_number || behind == nullptr || behind == at || behind > end) {
                PyErr_Clear();
                return fail_spelling(encoder, type);
            }
            figure.numbers.push_back(number);
            wants_number = false;
            at = behind;
        }
    }
    return (open.empty() && !wants_number) || fail_spelling(encoder, type);
}

// Numbers in nested tuples and lists, such as ((1, 2), (3, 4)).
bool collect_numbers(PgEncoder& encoder, const PgType& type, PyObject* value, Figure& figure, int depth) {
    if (!PyTuple_Check(value) && !PyList_Check(value)) {
        double number = 0;
        if (PyUnicode_Check(value) || !pg_float(encoder, type, value, number)) {
            return PyErr_Occurred() ? false : fail_pg_type(encoder, type, value, "number");
        }
        figure.numbers.push_back(number);
        return true;
    }
    if (depth == 0) return fail_pg_value(encoder, type, "nested too deeply");
    Ref held = Ref::share(value);
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(value); ++i) {
        Ref item = Ref::share(PySequence_Fast_GET_ITEM(value, i));
        if (!collect_numbers(encoder, type, item.get(), figure, depth - 1)) return false;
    }
    return true;
}

bool write_figure(PgEncoder& encoder, const PgType& type, const Figure& figure) {
    const std::size_t count = figure.numbers.size();
    bool fits = false;
    switch (type.kind) {
        case PgKind::point: fits = count == 2; break;
        case PgKind::lseg:
        case PgKind::box: fits = count == 4; break;
        case PgKind::line:
        case PgKind::circle: fits = count == 3; break;
        default: fits = count != 0 && count % 2 == 0; break;
    }
    if (!fits) return fail_pg_value(encoder, type, "another number of coordinates");
    if (!encoder.reserve(5 + 8 * count)) return false;
    std::uint8_t* at = encoder.tail();
    if (type.kind == PgKind::path) at = pg::put(at, static_cast<std::uint8_t>(figure.closed));
    if (type.kind == PgKind::path || type.kind == PgKind::polygon) at = pg::put(at, static_cast<std::int32_t>(count / 2));
    std::vector<double> numbers = figure.numbers;
    if (type.kind == PgKind::box) {
        // High corner first.
        if (numbers[0] < numbers[2]) std::swap(numbers[0], numbers[2]);
        if (numbers[1] < numbers[3]) std::swap(numbers[1], numbers[3]);
    }
    for (const double number : numbers) at = pg::put_double(at, number);
    encoder.advance_to(at);
    return true;
}

bool write_geometric(PgEncoder& encoder, const PgType& type, PyObject* value) {
    Figure figure;
    if (PyTuple_Check(value) || PyList_Check(value)) {
        return collect_numbers(encoder, type, value, figure, 3) && write_figure(encoder, type, figure);
    }
    if (!PyUnicode_Check(value)) return fail_pg_type(encoder, type, value, "str, or a tuple of numbers");
    const py::Utf8 text = py::utf8(value);
    return text.data != nullptr && read_figure(encoder, type, text, figure) && write_figure(encoder, type, figure);
}

}  // namespace

bool write_pg_spelled(PgEncoder& encoder, const PgType& type, PyObject* value) {
    if (type.kind >= PgKind::point && type.kind <= PgKind::circle) return write_geometric(encoder, type, value);
    if (!PyUnicode_Check(value)) return fail_pg_type(encoder, type, value, "str");
    const py::Utf8 text = py::utf8(value);
    if (text.data == nullptr) return false;
    switch (type.kind) {
        case PgKind::bits: return write_bits(encoder, type, text);
        case PgKind::macaddr:
        case PgKind::macaddr8: return write_mac(encoder, type, text);
        case PgKind::lsn: return write_lsn(encoder, type, text);
        default: return write_tid(encoder, type, text);
    }
}

}  // namespace barewire::walk
