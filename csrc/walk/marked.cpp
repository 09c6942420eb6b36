// One function per `_type_marker`; the order of reads and the errors are those of `bson`'s C extension.
#include "walk/marked.h"

#include <climits>
#include <cstring>

#include "py/compat.h"
#include "py/guard.h"
#include "wire/bson/writer.h"

namespace barewire::walk {

namespace bson = wire::bson;
using bson::Type;

namespace {

// Markers of the classes of `bson` (their `_type_marker` attributes).
enum Marker : long {
    binary_marker = 5,
    object_id_marker = 7,
    datetime_ms_marker = 9,
    regex_marker = 11,
    code_marker = 13,
    timestamp_marker = 17,
    int64_marker = 18,
    decimal128_marker = 19,
    dbref_marker = 100,
    max_key_marker = 127,
    min_key_marker = 255,
};

py::Ref attribute(PyObject* object, const py::Ref& name) {
    return py::Ref::steal(PyObject_GetAttr(object, name.get()));
}

bool raise_overflow(const char* text) {
    PyErr_SetString(PyExc_OverflowError, text);
    return false;
}

// `count` bytes of a bytes attribute.
bool fixed_bytes(Encoder& encoder, std::size_t type_at, PyObject* value, const py::Ref& name, Py_ssize_t count,
                 Type type) {
    py::Ref bytes = attribute(value, name);
    if (!bytes) return false;
    char* data = PyBytes_AsString(bytes.get());
    if (data == nullptr) return false;
    if (PyBytes_GET_SIZE(bytes.get()) != count) {
        PyErr_Format(PyExc_ValueError, "%U of %.200s must be %zd bytes long, not %zd", name.get(),
                     Py_TYPE(value)->tp_name, count, PyBytes_GET_SIZE(bytes.get()));
        return false;
    }
    if (!encoder.reserve(static_cast<std::size_t>(count))) return false;
    std::memcpy(encoder.tail(), data, static_cast<std::size_t>(count));
    encoder.advance(static_cast<std::size_t>(count));
    encoder.set_type(type_at, type);
    return true;
}

bool marked_binary(Encoder& encoder, std::size_t type_at, PyObject* value) {
    py::Ref subtype = attribute(value, encoder.kinds.subtype);
    if (!subtype) return false;
    long number = PyLong_AsLong(subtype.get());
    if (number == -1 && PyErr_Occurred()) return false;
    char* data = PyBytes_AsString(value);
    if (data == nullptr) return false;
    return write_binary(encoder, type_at, data, PyBytes_GET_SIZE(value), static_cast<unsigned char>(number));
}

bool marked_datetime_ms(Encoder& encoder, std::size_t type_at, PyObject* value) {
    py::Ref number = py::Ref::steal(PyNumber_Long(value));
    if (!number) return false;
    long long milliseconds = PyLong_AsLongLong(number.get());
    if (milliseconds == -1 && PyErr_Occurred()) {
        return raise_overflow("MongoDB datetimes can only handle up to 8-byte ints");
    }
    return write_datetime(encoder, type_at, milliseconds);
}

bool marked_regex(Encoder& encoder, std::size_t type_at, PyObject* value) {
    py::Ref flags = attribute(value, encoder.kinds.flags);
    if (!flags) return false;
    long bits = PyLong_AsLong(flags.get());
    if (bits == -1 && PyErr_Occurred()) return false;
    py::Ref pattern = attribute(value, encoder.kinds.pattern_name);
    if (!pattern) return false;
    return write_regex(encoder, type_at, pattern.get(), bits);
}

// A str or bytes value as BSON text.
bool text_or_bytes(Encoder& encoder, PyObject* value) {
    if (PyUnicode_Check(value)) return write_text(encoder, value);
    char* data = PyBytes_AsString(value);
    if (data == nullptr || !check_text_size(encoder, PyBytes_GET_SIZE(value), INT_MAX - 1)) return false;
    auto size = static_cast<std::size_t>(PyBytes_GET_SIZE(value));
    if (!encoder.reserve(size + 5)) return false;
    bson::put_text(encoder.tail(), data, size);
    encoder.advance(size + 5);
    return true;
}

// Sub-documents of Code and DBRef are never checked for `$` and `.` in keys.
class WithoutKeyChecks {
public:
    explicit WithoutKeyChecks(Encoder& encoder) noexcept : encoder_(encoder), before_(encoder.check_keys) {
        encoder_.check_keys = false;
    }
    ~WithoutKeyChecks() { encoder_.check_keys = before_; }
    WithoutKeyChecks(const WithoutKeyChecks&) = delete;
    WithoutKeyChecks& operator=(const WithoutKeyChecks&) = delete;

private:
    Encoder& encoder_;
    bool before_;
};

bool marked_code(Encoder& encoder, std::size_t type_at, PyObject* value) {
    py::Ref scope = attribute(value, encoder.kinds.scope);
    if (!scope) return false;
    if (scope.get() == Py_None) {
        encoder.set_type(type_at, Type::code);
        return text_or_bytes(encoder, value);
    }
    encoder.set_type(type_at, Type::code_with_scope);
    const std::size_t start = encoder.size();
    if (!encoder.reserve(4)) return false;
    encoder.advance(4);
    if (!text_or_bytes(encoder, value)) return false;
    WithoutKeyChecks unchecked(encoder);
    if (!write_document(encoder, scope.get(), false)) return false;
    base::store_little(encoder.data() + start, static_cast<std::int32_t>(encoder.size() - start));
    return true;
}

// One half of a Timestamp, cut to 32 bits as `bson` does.
bool timestamp_half(PyObject* value, const py::Ref& name, std::uint32_t& out) {
    py::Ref number = attribute(value, name);
    if (!number) return false;
    unsigned long wide = PyLong_AsUnsignedLong(number.get());
    if (wide == static_cast<unsigned long>(-1) && PyErr_Occurred()) return false;
    out = static_cast<std::uint32_t>(wide);
    return true;
}

bool marked_timestamp(Encoder& encoder, std::size_t type_at, PyObject* value) {
    std::uint32_t inc = 0, time = 0;
    if (!timestamp_half(value, encoder.kinds.inc, inc) || !timestamp_half(value, encoder.kinds.time, time)) return false;
    if (!encoder.reserve(8)) return false;
    base::store_little(encoder.tail(), inc);
    base::store_little(encoder.tail() + 4, time);
    encoder.advance(8);
    encoder.set_type(type_at, Type::timestamp);
    return true;
}

bool marked_int64(Encoder& encoder, std::size_t type_at, PyObject* value) {
    long long number = PyLong_AsLongLong(value);
    if (number == -1 && PyErr_Occurred()) return raise_overflow("MongoDB can only handle up to 8-byte ints");
    if (!encoder.reserve(8)) return false;
    bson::put(encoder.tail(), static_cast<std::int64_t>(number));
    encoder.advance(8);
    encoder.set_type(type_at, Type::int64);
    return true;
}

bool marked_dbref(Encoder& encoder, std::size_t type_at, PyObject* value) {
    py::Ref document = py::Ref::steal(PyObject_CallMethodNoArgs(value, encoder.kinds.as_doc.get()));
    if (!document) return false;
    encoder.set_type(type_at, Type::document);
    WithoutKeyChecks unchecked(encoder);
    return write_document(encoder, document.get(), false);
}

Outcome from_bool(bool written) noexcept { return written ? Outcome::done : Outcome::failed; }

}  // namespace

long type_marker(Encoder& encoder, PyObject* object) {
    py::Ref marker;
    if (py::get_optional_attribute(object, encoder.kinds.type_marker.get(), marker) < 0) {
        if (py::optional_attribute_errors_pass) return -1;
        PyErr_Clear();
        return 0;
    }
    // Classes that answer any attribute with an object of theirs are encoded as if they had no marker.
    if (!marker || !PyLong_CheckExact(marker.get())) return 0;
    long value = PyLong_AsLong(marker.get());
    return value == -1 && !PyErr_Occurred() ? 0 : value;
}

bool write_raw(Encoder& encoder, PyObject* raw_document) {
    py::Ref raw = attribute(raw_document, encoder.kinds.raw);
    if (!raw) return false;
    if (!PyBytes_Check(raw.get()) && !PyMemoryView_Check(raw.get())) {
        PyErr_Format(PyExc_TypeError, "RawBSONDocument.raw must be bytes or memoryview, not %.200s",
                     raw.type()->tp_name);
        return false;
    }
    py::BufferView view;
    if (!view.acquire(raw.get())) return false;
    if (!check_text_size(encoder, view.size(), INT_MAX)) return false;
    auto size = static_cast<std::size_t>(view.size());
    if (!encoder.reserve(size)) return false;
    std::memcpy(encoder.tail(), view.data(), size);
    encoder.advance(size);
    return true;
}

Outcome write_marked(Encoder& encoder, std::size_t type_at, PyObject* value, long marker) {
    switch (marker) {
        case binary_marker: return from_bool(marked_binary(encoder, type_at, value));
        case object_id_marker:
            return from_bool(fixed_bytes(encoder, type_at, value, encoder.kinds.binary_name, 12, Type::object_id));
        case datetime_ms_marker: return from_bool(marked_datetime_ms(encoder, type_at, value));
        case regex_marker: return from_bool(marked_regex(encoder, type_at, value));
        case code_marker: return from_bool(marked_code(encoder, type_at, value));
        case timestamp_marker: return from_bool(marked_timestamp(encoder, type_at, value));
        case int64_marker: return from_bool(marked_int64(encoder, type_at, value));
        case decimal128_marker:
            return from_bool(fixed_bytes(encoder, type_at, value, encoder.kinds.bid, 16, Type::decimal128));
        case dbref_marker: return from_bool(marked_dbref(encoder, type_at, value));
        case raw_document_marker:
            if (!write_raw(encoder, value)) return Outcome::failed;
            encoder.set_type(type_at, Type::document);
            return Outcome::done;
        case min_key_marker: encoder.set_type(type_at, Type::min_key); return Outcome::done;
        case max_key_marker: encoder.set_type(type_at, Type::max_key); return Outcome::done;
        default: return Outcome::other;
    }
}

}  // namespace barewire::walk
