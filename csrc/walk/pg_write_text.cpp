// Text, bytes and enumeration labels; and the text form of types that have no binary one here.
#include <cstring>
#include <string>

#include "py/compat.h"
#include "py/guard.h"
#include "py/internals/list.h"
#include "py/internals/text.h"
#include "walk/pg_encoder.h"

namespace barewire::walk {

namespace pg = wire::pg;
using py::Ref;

namespace {

bool append(PgEncoder& encoder, const void* data, std::size_t size) {
    if (!encoder.reserve(size)) return false;
    encoder.advance_to(pg::put_bytes(encoder.tail(), data, size));
    return true;
}

BAREWIRE_COLD bool fail_nul(PgEncoder& encoder) {
    encoder.own_error = true;
    PyErr_SetString(encoder.kinds.data_error.get(), "PostgreSQL text fields cannot contain NUL (0x00) bytes");
    return false;
}

bool append_text_bytes(PgEncoder& encoder, const PgType& type, const char* data, std::size_t size) {
    if (BAREWIRE_UNLIKELY(std::memchr(data, 0, size) != nullptr)) return fail_nul(encoder);
    if (type.kind == PgKind::byte_char && size > 1) return fail_pg_value(encoder, type, "more than one byte");
    return append(encoder, data, size);
}

bool is_bytes_like(PyObject* value) {
    return PyBytes_Check(value) || PyByteArray_Check(value) || PyMemoryView_Check(value);
}

bool append_buffer(PgEncoder& encoder, PyObject* value) {
    if (PyBytes_CheckExact(value)) {
        return append(encoder, PyBytes_AS_STRING(value), static_cast<std::size_t>(PyBytes_GET_SIZE(value)));
    }
    ++encoder.user_code;
    Ref held = Ref::share(value);
    py::BufferView view;
    return view.acquire(value) && append(encoder, view.data(), static_cast<std::size_t>(view.size()));
}

}  // namespace

bool write_pg_str(PgEncoder& encoder, const PgType& type, PyObject* text) {
    const std::string& encoding = encoder.settings.encoding;
    if (BAREWIRE_LIKELY(encoding.empty() || encoding == "bytes")) {
        const py::Utf8 bytes = py::utf8(text);
        return bytes.data != nullptr && append_text_bytes(encoder, type, bytes.data, static_cast<std::size_t>(bytes.size));
    }
    Ref bytes = Ref::steal(PyUnicode_AsEncodedString(text, encoding.c_str(), "strict"));
    return bytes && append_text_bytes(encoder, type, PyBytes_AS_STRING(bytes.get()),
                                      static_cast<std::size_t>(PyBytes_GET_SIZE(bytes.get())));
}

bool write_pg_text(PgEncoder& encoder, const PgType& type, PyObject* value) {
    if (BAREWIRE_UNLIKELY(type.kind == PgKind::versioned)) {
        if (!encoder.reserve(1)) return false;
        encoder.advance_to(pg::put(encoder.tail(), std::uint8_t{1}));
    }
    if (BAREWIRE_LIKELY(PyUnicode_Check(value))) return write_pg_str(encoder, type, value);
    // A database of SQL_ASCII has no encoding: there text is bytes, both ways.
    if (encoder.settings.encoding == "bytes" && is_bytes_like(value)) return append_buffer(encoder, value);
    return fail_pg_type(encoder, type, value, "str");
}

bool write_pg_bytea(PgEncoder& encoder, const PgType& type, PyObject* value) {
    if (!PyBytes_Check(value) && !PyObject_CheckBuffer(value)) return fail_pg_type(encoder, type, value, "bytes");
    return append_buffer(encoder, value);
}

bool write_pg_enumeration(PgEncoder& encoder, const PgType& type, PyObject* value) {
    if (type.labels) {
        Ref held = Ref::share(value), labels = type.labels.copy();
        ++encoder.user_code;  // __hash__ and __eq__ of the value
        PyObject* label = PyDict_GetItemWithError(labels.get(), value);
        if (label != nullptr && PyUnicode_Check(label)) return write_pg_str(encoder, type, label);
        if (PyErr_Occurred() && !PyErr_ExceptionMatches(PyExc_TypeError)) return false;
        PyErr_Clear();
    }
    if (PyUnicode_Check(value)) return write_pg_str(encoder, type, value);
    // Like psycopg: the name of a member of an Enum that was not registered.
    if (!PyObject_TypeCheck(value, reinterpret_cast<PyTypeObject*>(encoder.kinds.enumeration.get()))) {
        return fail_pg_type(encoder, type, value, "str or Enum");
    }
    ++encoder.user_code;
    Ref held = Ref::share(value);
    Ref name = Ref::steal(PyObject_GetAttr(value, encoder.kinds.name.get()));
    if (!name) return false;
    if (!PyUnicode_Check(name.get())) return fail_pg_type(encoder, type, name.get(), "str as name of an Enum");
    return write_pg_str(encoder, type, name.get());
}

namespace {

// An element of an array in its text form, which always stands in quotes.
bool append_quoted(PgEncoder& encoder, std::size_t start) {
    std::string plain;
    try {
        plain.assign(reinterpret_cast<const char*>(encoder.data()) + start, encoder.size() - start);
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
        return false;
    }
    encoder.cut_back(start);
    if (!encoder.reserve(2 * plain.size() + 2)) return false;
    std::uint8_t* at = encoder.tail();
    *at++ = '"';
    for (const char byte : plain) {
        if (byte == '"' || byte == '\\') *at++ = '\\';
        *at++ = static_cast<std::uint8_t>(byte);
    }
    *at++ = '"';
    encoder.advance_to(at);
    return true;
}

bool write_array_text(PgEncoder& encoder, const PgType& type, PyObject* list) {
    py::RecursionLevel level(encoder.recursion);
    if (!level.entered() || !append(encoder, "{", 1)) return false;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list); ++i) {
        Ref item = Ref::share(PyList_GET_ITEM(list, i));
        if (i != 0 && !append(encoder, ",", 1)) return false;
        bool written;
        if (item.get() == Py_None) {
            written = append(encoder, "NULL", 4);
        } else if (PyList_Check(item.get())) {
            written = write_array_text(encoder, type, item.get());
        } else {
            const std::size_t start = encoder.size();
            written = write_pg_text_form(encoder, *type.element, item.get()) && append_quoted(encoder, start);
        }
        if (!written) {
            encoder.path.leave_index(static_cast<std::size_t>(i));
            return false;
        }
    }
    return append(encoder, "}", 1);
}

}  // namespace

bool write_pg_text_form(PgEncoder& encoder, const PgType& type, PyObject* value) {
    // Whatever it is, text is left to the server to understand.
    if (PyUnicode_Check(value)) return write_pg_str(encoder, type, value);
    if (type.kind == PgKind::array && type.element != nullptr && PyList_Check(value)) {
        return write_array_text(encoder, type, value);
    }
    if (PyLong_Check(value) && !PyBool_Check(value)) {
        Ref text = Ref::steal(PyLong_Type.tp_repr(value));
        return text && write_pg_str(encoder, type, text.get());
    }
    if (is_bytes_like(value)) return append_buffer(encoder, value);
    return fail_pg_type(encoder, type, value, "str");
}

}  // namespace barewire::walk
