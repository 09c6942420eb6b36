// Arrays, composites, ranges and hstore in text format: the quoting of each, and its parts through read_pg_text_form.
#include <string>
#include <utility>

#include "py/guard.h"
#include "walk/pg_decoder.h"

namespace barewire::walk {

using py::Ref;

namespace {

// A cursor over text whose functions return false, or nullptr, where it is not spelled as the server spells it.
class Parser {
public:
    Parser(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size) noexcept
        : decoding_(decoding), type_(type), at_(reinterpret_cast<const char*>(data)), end_(at_ + size) {}

    PyObject* array() {
        skip_bounds();
        Ref list = Ref::steal(array_level(0));
        return list && at_ == end_ ? list.release() : fail();
    }

    PyObject* composite() {
        if (!take('(')) return fail();
        const std::size_t count = type_.fields.size();
        Ref values = Ref::steal(PyTuple_New(static_cast<Py_ssize_t>(count)));
        if (!values) return nullptr;
        for (std::size_t i = 0; i < count && i < type_.fields.size(); ++i) {
            if (i != 0 && !take(',')) return fail();
            PyObject* value = part(*type_.fields[i].type, ",)", true);
            if (value == nullptr) return nullptr;
            PyTuple_SET_ITEM(values.get(), static_cast<Py_ssize_t>(i), value);
        }
        if (!take(')') || at_ != end_) return fail();
        if (!type_.factory) return values.release();
        Ref factory = type_.factory.copy();  // it may describe its own type anew
        return PyObject_CallObject(factory.get(), values.get());
    }

    PyObject* range() {
        Ref made = Ref::steal(one_range(type_));
        return made && at_ == end_ ? made.release() : fail();
    }

    PyObject* multirange() {
        Ref ranges = Ref::steal(PyList_New(0));
        if (!ranges) return nullptr;
        if (!take('{')) return fail();
        while (!take('}')) {
            if (PyList_GET_SIZE(ranges.get()) != 0 && !take(',')) return fail();
            Ref range = Ref::steal(one_range(*type_.element));
            if (!range) return fail();
            if (PyList_Append(ranges.get(), range.get()) < 0) return nullptr;
        }
        return at_ == end_ ? PyObject_CallOneArg(decoding_.kinds.multirange.get(), ranges.get()) : fail();
    }

    PyObject* hstore() {
        Ref dict = Ref::steal(PyDict_New());
        if (!dict) return nullptr;
        while (at_ != end_) {
            if (PyDict_GET_SIZE(dict.get()) != 0 && (!take(',') || !take(' '))) return fail();
            std::string text;
            bool quoted = false;
            if (!word(text, "=", quoted) || !quoted || !take('=') || !take('>')) return fail();
            Ref key = Ref::steal(text_of(text));
            if (!key || !word(text, ",", quoted)) return fail();
            Ref value = quoted ? Ref::steal(text_of(text)) : Ref::none();
            if (!value || PyDict_SetItem(dict.get(), key.get(), value.get()) < 0) return fail();
        }
        return dict.release();
    }

    // int2vector and oidvector: numbers with spaces between them.
    PyObject* vector() {
        Ref list = Ref::steal(PyList_New(0));
        while (list && at_ != end_) {
            if (PyList_GET_SIZE(list.get()) != 0 && !take(' ')) return fail();
            Ref item = Ref::steal(part(*type_.element, " ", false));
            if (!item || PyList_Append(list.get(), item.get()) < 0) return fail();
        }
        return list.release();
    }

private:
    PyObject* fail() {
        if (PyErr_Occurred() == nullptr) {
            PyErr_Format(decoding_.kinds.data_error.get(), "malformed text of %s", type_.name.c_str());
        }
        return nullptr;
    }

    bool take(char byte) noexcept {
        if (at_ == end_ || *at_ != byte) return false;
        ++at_;
        return true;
    }

    PyObject* text_of(const std::string& text) {
        return read_pg_text(decoding_, reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    }

    // Up to one of the stops, with quotes taken off: "" and \x stand for " and x.
    bool word(std::string& text, const char* stops, bool& quoted) {
        text.clear();
        quoted = false;
        bool inside = false;
        for (; at_ != end_; ++at_) {
            if (*at_ == '\\') {
                if (++at_ == end_) return false;
                text += *at_;
            } else if (*at_ == '"') {
                if (inside && at_ + 1 != end_ && at_[1] == '"') {
                    ++at_;
                    text += '"';
                } else {
                    inside = !inside;
                    quoted = true;
                }
            } else if (!inside && std::string_view(stops).find(*at_) != std::string_view::npos) {
                break;
            } else {
                text += *at_;
            }
        }
        return !inside;
    }

    // One value; `empty_is_null` for composites and ranges, where nothing between the commas is NULL; else the word NULL is.
    PyObject* part(const PgType& type, const char* stops, bool empty_is_null) {
        std::string text;
        bool quoted = false;
        if (!word(text, stops, quoted)) return fail();
        if (!quoted && (empty_is_null ? text.empty() : text == "NULL")) return Ref::none().release();
        return read_pg_text_form(decoding_, type, reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    }

    // "[2:3][-1:0]=" before an array whose lower bounds are not 1.
    void skip_bounds() noexcept {
        if (at_ == end_ || *at_ != '[') return;
        while (at_ != end_ && *at_ != '=') ++at_;
        if (at_ != end_) ++at_;
    }

    PyObject* array_level(int depth) {
        const bool semicolon = type_.element->kind == PgKind::box;
        if (depth > 5 || !take('{')) return fail();
        Ref list = Ref::steal(PyList_New(0));
        if (!list) return nullptr;
        while (!take('}')) {
            if (PyList_GET_SIZE(list.get()) != 0 && !take(semicolon ? ';' : ',')) return fail();
            const bool deeper = at_ != end_ && *at_ == '{';
            Ref item = Ref::steal(deeper ? array_level(depth + 1) : part(*type_.element, semicolon ? ";}" : ",}", false));
            if (!item || PyList_Append(list.get(), item.get()) < 0) return fail();
        }
        return list.release();
    }

    PyObject* one_range(const PgType& type) {
        if (static_cast<std::size_t>(end_ - at_) >= 5 && std::string_view(at_, 5) == "empty") {
            at_ += 5;
            return new_empty_pg_range(decoding_.kinds);
        }
        unsigned inclusive = take('[') ? 1 : 0;
        if (inclusive == 0 && !take('(')) return fail();
        Ref lower = Ref::steal(part(*type.element, ",", true));
        if (!lower || !take(',')) return fail();
        Ref upper = Ref::steal(part(*type.element, "])", true));
        if (!upper) return nullptr;
        if (take(']')) {
            inclusive |= 2;
        } else if (!take(')')) {
            return fail();
        }
        return new_pg_range(decoding_.kinds, std::move(lower), std::move(upper), inclusive);
    }

    PgDecoding& decoding_;
    const PgType& type_;
    const char* at_;
    const char* end_;
};

}  // namespace

PyObject* read_pg_nested_text(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size) {
    py::RecursionGuard guard(" while decoding a PostgreSQL value");
    if (!guard.entered()) return nullptr;
    Parser parser(decoding, type, data, size);
    switch (type.kind) {
        case PgKind::array: return parser.array();
        case PgKind::vector: return parser.vector();
        case PgKind::range: return parser.range();
        case PgKind::multirange: return parser.multirange();
        case PgKind::hstore: return parser.hstore();
        default: return parser.composite();
    }
}

}  // namespace barewire::walk
