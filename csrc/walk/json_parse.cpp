// A recursive parser with a table of keys; numbers and strings in one pass where they are plain.
#include "walk/json_parse.h"

#include <cstring>
#include <string>

#include "base/macros.h"
#include "py/ref.h"
#include "py/text_build.h"

namespace barewire::walk {

using py::Ref;

namespace {

constexpr int most_depth = 200;

// Powers of ten that a double holds exactly, and the largest integer up to which all are exact.
constexpr double exact_powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
                                   1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
constexpr std::uint64_t exact_integer = std::uint64_t{1} << 53;

BAREWIRE_INLINE bool is_digit(std::uint8_t byte) noexcept { return static_cast<unsigned>(byte - '0') < 10; }

// True if a byte of the word is a quote, a backslash or below 0x20.
BAREWIRE_INLINE bool has_special(std::uint64_t word) noexcept {
    constexpr std::uint64_t ones = 0x0101010101010101u, tops = 0x8080808080808080u;
    const std::uint64_t quote = word ^ (ones * '"'), slash = word ^ (ones * '\\');
    const std::uint64_t found = ((quote - ones) & ~quote) | ((slash - ones) & ~slash) | ((word - ones * 0x20) & ~word);
    return (found & tops) != 0;
}

class Parser {
public:
    Parser(DecodeCache& cache, const std::uint8_t* data, std::size_t size) noexcept
        : cache_(cache), at_(data), end_(data + size) {}

    PyObject* document() {
        skip_space();
        Ref made = Ref::steal(value(0));
        skip_space();
        return at_ == end_ ? made.release() : nullptr;
    }

private:
    // Every function returns nullptr for what is unusual, with or without an error set.
    PyObject* value(int depth) {
        if (BAREWIRE_UNLIKELY(at_ == end_)) return nullptr;
        switch (*at_) {
            case '"': {
                bool plain = false;
                const std::uint8_t* start = at_ + 1;
                const std::uint8_t* close = string_end(plain);
                if (close == nullptr) return nullptr;
                return plain ? py::text_from_utf8(start, static_cast<std::size_t>(close - start), nullptr)
                             : unescaped(start, close);
            }
            case '{': return depth == most_depth ? nullptr : object(depth);
            case '[': return depth == most_depth ? nullptr : array(depth);
            case 't': return literal("true", 4, Py_True);
            case 'f': return literal("false", 5, Py_False);
            case 'n': return literal("null", 4, Py_None);
            default: return number();
        }
    }

    PyObject* literal(const char* text, std::size_t size, PyObject* meaning) {
        if (left() < size || std::memcmp(at_, text, size) != 0) return nullptr;
        at_ += size;
        return Ref::share(meaning).release();
    }

    // Moves behind the closing quote of the string at `at_`; nullptr if there is none, or for a control character.
    const std::uint8_t* string_end(bool& plain) noexcept {
        plain = true;
        const std::uint8_t* at = at_ + 1;
        for (;;) {
            while (end_ - at >= 8) {
                std::uint64_t word;
                std::memcpy(&word, at, 8);
                if (has_special(word)) break;
                at += 8;
            }
            while (at != end_ && *at != '"' && *at != '\\' && *at >= 0x20) ++at;
            if (at == end_ || *at < 0x20) return nullptr;
            if (*at == '"') {
                at_ = at + 1;
                return at;
            }
            plain = false;
            at += 2;
            if (at > end_) return nullptr;
        }
    }

    static int hex(const std::uint8_t* at) noexcept {
        int value = 0;
        for (int i = 0; i < 4; ++i) {
            const int lower = at[i] | 0x20;
            const int digit = is_digit(at[i]) ? at[i] - '0' : lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
            if (digit < 0) return -1;
            value = value << 4 | digit;
        }
        return value;
    }

    static void append_utf8(std::string& out, unsigned code) {
        if (code < 0x80) {
            out += static_cast<char>(code);
        } else if (code < 0x800) {
            out += static_cast<char>(0xC0 | code >> 6);
            out += static_cast<char>(0x80 | (code & 0x3F));
        } else if (code < 0x10000) {
            out += static_cast<char>(0xE0 | code >> 12);
            out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
            out += static_cast<char>(0x80 | (code & 0x3F));
        } else {
            out += static_cast<char>(0xF0 | code >> 18);
            out += static_cast<char>(0x80 | (code >> 12 & 0x3F));
            out += static_cast<char>(0x80 | (code >> 6 & 0x3F));
            out += static_cast<char>(0x80 | (code & 0x3F));
        }
    }

    // One escape behind the backslash; false for what is no escape and for surrogates that are no pair.
    static bool append_escape(std::string& out, const std::uint8_t*& at, const std::uint8_t* end) {
        switch (*at++) {
            case '"': out += '"'; return true;
            case '\\': out += '\\'; return true;
            case '/': out += '/'; return true;
            case 'b': out += '\b'; return true;
            case 'f': out += '\f'; return true;
            case 'n': out += '\n'; return true;
            case 'r': out += '\r'; return true;
            case 't': out += '\t'; return true;
            case 'u': break;
            default: return false;
        }
        int code = end - at >= 4 ? hex(at) : -1;
        if (code < 0) return false;
        at += 4;
        if (code >= 0xD800 && code < 0xE000) {
            const int low = code < 0xDC00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u' ? hex(at + 2) : -1;
            if (low < 0xDC00 || low >= 0xE000) return false;
            at += 6;
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
        }
        append_utf8(out, static_cast<unsigned>(code));
        return true;
    }

    bool unescape(const std::uint8_t* start, const std::uint8_t* close) {
        scratch_.clear();
        while (start != close) {
            const void* found = std::memchr(start, '\\', static_cast<std::size_t>(close - start));
            const auto* slash = found == nullptr ? close : static_cast<const std::uint8_t*>(found);
            scratch_.append(reinterpret_cast<const char*>(start), static_cast<std::size_t>(slash - start));
            start = slash;
            if (start == close) break;
            ++start;
            if (start == close || !append_escape(scratch_, start, close)) return false;
        }
        return true;
    }

    PyObject* unescaped(const std::uint8_t* start, const std::uint8_t* close) {
        if (!unescape(start, close)) return nullptr;
        return py::text_from_utf8(reinterpret_cast<const std::uint8_t*>(scratch_.data()), scratch_.size(), nullptr);
    }

    PyObject* number() {
        const std::uint8_t* const start = at_;
        const std::uint8_t* at = at_;
        const bool negative = *at == '-';
        at += negative;
        const std::uint8_t* const digits = at;
        std::uint64_t mantissa = 0;
        while (at != end_ && is_digit(*at)) mantissa = mantissa * 10 + (*at++ - '0');
        auto count = at - digits;
        // No leading zeros, and a minus alone (or before Infinity) is nothing for us.
        if (count == 0 || (count > 1 && *digits == '0')) return nullptr;
        if (at == end_ || (*at != '.' && *at != 'e' && *at != 'E')) {
            at_ = at;
            if (BAREWIRE_UNLIKELY(count > 18)) return long_integer(start, at);
            const auto value = static_cast<std::int64_t>(mantissa);
            return PyLong_FromLongLong(negative ? -value : value);
        }
        int exponent = 0;
        if (*at == '.') {
            const std::uint8_t* const fraction = ++at;
            while (at != end_ && is_digit(*at)) mantissa = mantissa * 10 + (*at++ - '0');
            if (at == fraction) return nullptr;
            count += at - fraction;
            exponent = -static_cast<int>(at - fraction > 1000 ? 1000 : at - fraction);
        }
        if (at != end_ && (*at == 'e' || *at == 'E')) {
            ++at;
            const bool below = at != end_ && *at == '-';
            if (at != end_ && (*at == '-' || *at == '+')) ++at;
            if (at == end_ || !is_digit(*at)) return nullptr;
            int stated = 0;
            while (at != end_ && is_digit(*at)) {
                if (stated < 100000) stated = stated * 10 + (*at - '0');
                ++at;
            }
            exponent += below ? -stated : stated;
        }
        at_ = at;
        // Both factors are exact, so the one rounding of the product or quotient is the right one.
        if (BAREWIRE_LIKELY(count <= 19 && mantissa <= exact_integer && exponent >= -22 && exponent <= 22)) {
            auto value = static_cast<double>(mantissa);
            value = exponent < 0 ? value / exact_powers[-exponent] : value * exact_powers[exponent];
            return PyFloat_FromDouble(negative ? -value : value);
        }
        return exact_float(start, at);
    }

    PyObject* long_integer(const std::uint8_t* start, const std::uint8_t* end) {
        // The interpreter limits the digits of an int; json.loads words the error.
        if (end - start > 640) return nullptr;
        scratch_.assign(reinterpret_cast<const char*>(start), static_cast<std::size_t>(end - start));
        return PyLong_FromString(scratch_.c_str(), nullptr, 10);
    }

    PyObject* exact_float(const std::uint8_t* start, const std::uint8_t* end) {
        scratch_.assign(reinterpret_cast<const char*>(start), static_cast<std::size_t>(end - start));
        char* behind = nullptr;
        const double value = PyOS_string_to_double(scratch_.c_str(), &behind, nullptr);
        if (behind != scratch_.c_str() + scratch_.size()) return nullptr;
        return PyFloat_FromDouble(value);
    }

    PyObject* array(int depth) {
        ++at_;
        HeldValues& held = cache_.values;
        const std::size_t base = held.size();
        skip_space();
        if (at_ != end_ && *at_ == ']') {
            ++at_;
            return PyList_New(0);
        }
        for (;;) {
            PyObject* item = value(depth + 1);
            if (BAREWIRE_UNLIKELY(item == nullptr)) break;
            held.push(item);
            skip_space();
            if (at_ == end_) break;
            const std::uint8_t byte = *at_++;
            if (byte == ',') {
                skip_space();
                continue;
            }
            if (byte != ']') break;
            const std::size_t count = held.size() - base;
            PyObject* list = PyList_New(static_cast<Py_ssize_t>(count));
            if (list == nullptr) break;
            for (std::size_t i = 0; i < count; ++i) PyList_SET_ITEM(list, static_cast<Py_ssize_t>(i), held[base + i]);
            held.forget_to(base);
            return list;
        }
        held.drop_to(base);
        return nullptr;
    }

    // The name of a member, borrowed from the cache or owned by `own`.
    PyObject* key(Ref& own) {
        if (BAREWIRE_UNLIKELY(at_ == end_ || *at_ != '"')) return nullptr;
        bool plain = false;
        const std::uint8_t* start = at_ + 1;
        const std::uint8_t* close = string_end(plain);
        if (BAREWIRE_UNLIKELY(close == nullptr)) return nullptr;
        if (BAREWIRE_LIKELY(plain)) return cache_.key(start, static_cast<std::size_t>(close - start), nullptr, own);
        own = Ref::steal(unescaped(start, close));
        return own.get();
    }

    PyObject* object(int depth) {
        ++at_;
        Ref dict = Ref::steal(PyDict_New());
        if (!dict) return nullptr;
        skip_space();
        if (at_ != end_ && *at_ == '}') {
            ++at_;
            return dict.release();
        }
        for (;;) {
            Ref own;
            PyObject* name = key(own);
            if (BAREWIRE_UNLIKELY(name == nullptr)) return nullptr;
            // The cache may forget it while the value is parsed.
            if (!own) own = Ref::share(name);
            skip_space();
            if (BAREWIRE_UNLIKELY(at_ == end_ || *at_ != ':')) return nullptr;
            ++at_;
            skip_space();
            Ref member = Ref::steal(value(depth + 1));
            if (BAREWIRE_UNLIKELY(!member || PyDict_SetItem(dict.get(), name, member.get()) < 0)) return nullptr;
            skip_space();
            if (at_ == end_) return nullptr;
            const std::uint8_t byte = *at_++;
            if (byte == '}') return dict.release();
            if (byte != ',') return nullptr;
            skip_space();
        }
    }

    BAREWIRE_INLINE void skip_space() noexcept {
        while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\t' || *at_ == '\r')) ++at_;
    }
    std::size_t left() const noexcept { return static_cast<std::size_t>(end_ - at_); }

    DecodeCache& cache_;
    const std::uint8_t* at_;
    const std::uint8_t* end_;
    std::string scratch_;
};

}  // namespace

JsonOutcome parse_json(DecodeCache& cache, const std::uint8_t* data, std::size_t size, PyObject*& result) {
    result = Parser(cache, data, size).document();
    if (BAREWIRE_LIKELY(result != nullptr)) return JsonOutcome::parsed;
    if (PyErr_Occurred() == nullptr) return JsonOutcome::unusual;
    if (PyErr_ExceptionMatches(PyExc_MemoryError)) return JsonOutcome::failed;
    PyErr_Clear();
    return JsonOutcome::unusual;
}

}  // namespace barewire::walk
