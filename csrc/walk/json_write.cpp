// A recursive writer; text outside of ASCII is escaped, as json.dumps does by default.
#include "walk/json_write.h"

#include <charconv>
#include <cmath>
#include <cstring>

#include "py/compat.h"
#include "py/internals/dict.h"
#include "py/internals/integer.h"
#include "py/internals/list.h"

namespace barewire::walk {

namespace {

constexpr int most_depth = 200;
constexpr char hex_digits[] = "0123456789abcdef";

// 0: as it is, 'u': \u00XX, else the letter behind the backslash.
struct Escapes {
    char letter[128] = {};
    constexpr Escapes() {
        for (int i = 0; i < 0x20; ++i) letter[i] = 'u';
        letter[0x7f] = 'u';
        letter[static_cast<unsigned>('"')] = '"';
        letter[static_cast<unsigned>('\\')] = '\\';
        letter[static_cast<unsigned>('\n')] = 'n';
        letter[static_cast<unsigned>('\r')] = 'r';
        letter[static_cast<unsigned>('\t')] = 't';
        letter[static_cast<unsigned>('\b')] = 'b';
        letter[static_cast<unsigned>('\f')] = 'f';
    }
};
constexpr Escapes escapes;

class Writer {
public:
    explicit Writer(PgEncoder& encoder) noexcept : encoder_(encoder) {}

    // False for what is unusual, with or without an error set.
    bool value(PyObject* object, int depth) {
        PyTypeObject* type = Py_TYPE(object);
        if (type == &PyUnicode_Type) return text(object);
        if (type == &PyLong_Type) return integer(object);
        if (type == &PyDict_Type) return depth < most_depth && dict(object, depth);
        if (type == &PyList_Type) return depth < most_depth && array(py::list_items(object), depth);
        if (type == &PyTuple_Type) return depth < most_depth && array(py::tuple_items(object), depth);
        if (type == &PyFloat_Type) return real(PyFloat_AS_DOUBLE(object));
        if (object == Py_True) return put("true", 4);
        if (object == Py_False) return put("false", 5);
        return object == Py_None && put("null", 4);
    }

private:
    bool put(const char* text, std::size_t size) {
        if (!encoder_.reserve(size)) return false;
        encoder_.advance_to(wire::pg::put_bytes(encoder_.tail(), text, size));
        return true;
    }

    bool integer(PyObject* object) {
        std::int64_t number = 0;
        if (!py::int64_value(object, number) || !encoder_.reserve(24)) return false;
        auto* at = reinterpret_cast<char*>(encoder_.tail());
        encoder_.advance_to(reinterpret_cast<std::uint8_t*>(std::to_chars(at, at + 24, number).ptr));
        return true;
    }

    bool real(double number) {
        if (!std::isfinite(number)) return false;
        char* made = PyOS_double_to_string(number, 'r', 0, Py_DTSF_ADD_DOT_0, nullptr);
        if (made == nullptr) return false;
        const bool written = put(made, std::strlen(made));
        PyMem_Free(made);
        return written;
    }

    static std::uint8_t* put_unit(std::uint8_t* at, unsigned unit) noexcept {
        *at++ = '\\';
        *at++ = 'u';
        for (int shift = 12; shift >= 0; shift -= 4) *at++ = static_cast<std::uint8_t>(hex_digits[unit >> shift & 15]);
        return at;
    }

    template <class Unit>
    static std::uint8_t* put_units(std::uint8_t* at, const Unit* units, Py_ssize_t count) noexcept {
        for (Py_ssize_t i = 0; i < count; ++i) {
            const Py_UCS4 code = units[i];
            if (BAREWIRE_LIKELY(code < 128)) {
                const char letter = escapes.letter[code];
                if (BAREWIRE_LIKELY(letter == 0)) {
                    *at++ = static_cast<std::uint8_t>(code);
                } else if (letter == 'u') {
                    at = put_unit(at, code);
                } else {
                    *at++ = '\\';
                    *at++ = static_cast<std::uint8_t>(letter);
                }
            } else if (code < 0x10000) {
                at = put_unit(at, code);
            } else {
                at = put_unit(at, 0xD800 + ((code - 0x10000) >> 10));
                at = put_unit(at, 0xDC00 + ((code - 0x10000) & 0x3FF));
            }
        }
        return at;
    }

    bool text(PyObject* object) {
        if (!py::text_ready(object)) return false;
        const Py_ssize_t count = PyUnicode_GET_LENGTH(object);
        // A character becomes two escapes of six bytes at most.
        const std::size_t most = PyUnicode_KIND(object) == PyUnicode_4BYTE_KIND ? 12 : 6;
        if (!encoder_.reserve(static_cast<std::size_t>(count) * most + 2)) return false;
        std::uint8_t* at = encoder_.tail();
        *at++ = '"';
        switch (PyUnicode_KIND(object)) {
            case PyUnicode_1BYTE_KIND: at = put_units(at, PyUnicode_1BYTE_DATA(object), count); break;
            case PyUnicode_2BYTE_KIND: at = put_units(at, PyUnicode_2BYTE_DATA(object), count); break;
            default: at = put_units(at, PyUnicode_4BYTE_DATA(object), count); break;
        }
        *at++ = '"';
        encoder_.advance_to(at);
        return true;
    }

    bool array(py::Items items, int depth) {
        if (!put("[", 1)) return false;
        for (Py_ssize_t i = 0; i < items.size; ++i) {
            if ((i != 0 && !put(", ", 2)) || !value(items.data[i], depth + 1)) return false;
        }
        return put("]", 1);
    }

    bool dict(PyObject* object, int depth) {
        if (!put("{", 1)) return false;
        py::DictCursor cursor(object);
        PyObject *key = nullptr, *item = nullptr;
        for (bool first = true; cursor.next(key, item); first = false) {
            if (Py_TYPE(key) != &PyUnicode_Type || (!first && !put(", ", 2))) return false;
            if (!text(key) || !put(": ", 2) || !value(item, depth + 1)) return false;
        }
        return put("}", 1);
    }

    PgEncoder& encoder_;
};

}  // namespace

JsonWritten write_json(PgEncoder& encoder, PyObject* value) {
    const std::size_t start = encoder.size();
    if (BAREWIRE_LIKELY(Writer(encoder).value(value, 0))) return JsonWritten::written;
    encoder.cut_back(start);
    if (PyErr_Occurred() == nullptr) return JsonWritten::unusual;
    return JsonWritten::failed;
}

}  // namespace barewire::walk
