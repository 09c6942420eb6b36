// Dispatch of values whose exact type is not known: markers, subclasses, mappings, UUIDs, type encoders.
#include "walk/hook.h"

#include <cstring>
#include <utility>

#include "py/compat.h"
#include "py/internals/clock.h"
#include "py/internals/integer.h"
#include "walk/marked.h"
#include "walk/scalar.h"
#include "walk/zoned.h"
#include "wire/bson/writer.h"

namespace barewire::walk {

namespace bson = wire::bson;
using bson::Type;

namespace {

template <class Number>
bool write_number(Encoder& encoder, std::size_t type_at, Type type, Number number) {
    if (!encoder.reserve(8)) return false;
    std::uint8_t* start = encoder.tail();
    encoder.advance(static_cast<std::size_t>(bson::put(start, number) - start));
    encoder.set_type(type_at, type);
    return true;
}

BAREWIRE_COLD bool fail_cannot_encode(Encoder& encoder, PyObject* value) {
    if (PyLong_Check(value)) {
        std::int64_t ignored = 0;
        if (!py::int64_value(value, ignored)) {
            PyErr_SetString(PyExc_OverflowError, "MongoDB can only handle up to 8-byte ints");
            return false;
        }
    }
    PyErr_Format(encoder.kinds.invalid_document.get(), "cannot encode object: %R, of type: %R", value,
                 reinterpret_cast<PyObject*>(Py_TYPE(value)));
    return false;
}

BAREWIRE_COLD bool fail_not_mapping(PyObject* document) {
    py::Ref repr = py::Ref::steal(PyObject_Repr(document));
    if (repr) {
        PyErr_Format(PyExc_TypeError, "encoder expected a mapping type but got: %U", repr.get());
    } else {
        PyErr_SetString(PyExc_TypeError, "encoder expected a mapping type");
    }
    return false;
}

bool write_pattern(Encoder& encoder, std::size_t type_at, PyObject* value) {
    py::Ref flags = py::Ref::steal(PyObject_GetAttr(value, encoder.kinds.flags.get()));
    if (!flags) return false;
    long bits = PyLong_AsLong(flags.get());
    if (bits == -1 && PyErr_Occurred()) return false;
    py::Ref pattern = py::Ref::steal(PyObject_GetAttr(value, encoder.kinds.pattern_name.get()));
    return pattern && write_regex(encoder, type_at, pattern.get(), bits);
}

// Asks Binary.from_uuid, which knows subclasses and words the errors.
bool write_any_uuid(Encoder& encoder, std::size_t type_at, PyObject* value, Asked asked) {
    py::Ref representation = py::Ref::steal(PyLong_FromLong(static_cast<long>(encoder.options.uuid_representation)));
    if (!representation) return false;
    PyObject* arguments[] = {encoder.kinds.binary.get(), value, representation.get()};
    py::Ref binary = py::Ref::steal(PyObject_VectorcallMethod(encoder.kinds.from_uuid.get(), arguments, 3, nullptr));
    return binary && write_any(encoder, type_at, binary.get(), asked);
}

// The result of a custom encoder, which may be anything again.
bool write_transformed(Encoder& encoder, std::size_t type_at, PyObject* transform, PyObject* value, Asked asked) {
    py::Ref replaced = py::Ref::steal(PyObject_CallOneArg(transform, value));
    return replaced && write_any(encoder, type_at, replaced.get(), asked);
}

// Built-in types and their subclasses; `other` for what is none of them.
Outcome write_builtin(Encoder& encoder, std::size_t type_at, PyObject* value) {
    auto from_bool = [](bool written) { return written ? Outcome::done : Outcome::failed; };
    if (PyBool_Check(value)) {
        if (!encoder.reserve(1)) return Outcome::failed;
        *encoder.tail() = value == Py_True;
        encoder.advance(1);
        encoder.set_type(type_at, Type::boolean);
        return Outcome::done;
    }
    if (PyLong_Check(value)) {
        std::int64_t number = 0;
        if (!py::int64_value(value, number)) return Outcome::other;  // gives the fallback encoder a chance
        if (number == static_cast<std::int32_t>(number)) {
            return from_bool(write_number(encoder, type_at, Type::int32, static_cast<std::int32_t>(number)));
        }
        return from_bool(write_number(encoder, type_at, Type::int64, number));
    }
    if (PyFloat_Check(value)) {
        return from_bool(write_number(encoder, type_at, Type::float64, PyFloat_AS_DOUBLE(value)));
    }
    if (value == Py_None) {
        encoder.set_type(type_at, Type::null);
        return Outcome::done;
    }
    if (PyDict_Check(value) || PyList_Check(value) || PyTuple_Check(value)) {
        const bool is_dict = PyDict_Check(value);
        encoder.set_type(type_at, is_dict ? Type::document : Type::array);
        return from_bool(is_dict ? write_document(encoder, value, false) : write_array(encoder, value));
    }
    if (PyBytes_Check(value)) return from_bool(write_bytes(encoder, type_at, value));
    if (PyUnicode_Check(value)) {
        encoder.set_type(type_at, Type::string);
        return from_bool(write_text(encoder, value));
    }
    if (py::is_datetime(value)) return from_bool(write_zoned(encoder, type_at, value));
    return Outcome::other;
}

}  // namespace

bool write_any(Encoder& encoder, std::size_t type_at, PyObject* value, Asked asked) {
    // Attribute access, metaclasses, properties and encoders can all drop the container's reference.
    py::Ref held = py::Ref::share(value);
    ++encoder.user_code;
    py::RecursionLevel level(encoder.recursion);
    if (!level.entered()) return false;

    const Kind kind = encoder.kinds.kind_of(Py_TYPE(value));
    Outcome outcome = kind == Kind::unknown ? Outcome::other : write_known(encoder, type_at, value, kind);
    if (outcome != Outcome::other) return outcome == Outcome::done;
    if (kind == Kind::datetime) return write_zoned(encoder, type_at, value);

    if (kind != Kind::son && kind != Kind::pattern && kind != Kind::uuid) {
        long marker = type_marker(encoder, value);
        if (marker < 0) return false;
        if (marker != 0) outcome = write_marked(encoder, type_at, value, marker);
        if (outcome != Outcome::other) return outcome == Outcome::done;
    }
    outcome = write_builtin(encoder, type_at, value);
    if (outcome != Outcome::other) return outcome == Outcome::done;

    if (PyObject_TypeCheck(value, reinterpret_cast<PyTypeObject*>(encoder.kinds.pattern.get()))) {
        return write_pattern(encoder, type_at, value);
    }
    if (kind != Kind::uuid) {
        int is_mapping = PyObject_IsInstance(value, encoder.kinds.mapping.get());
        if (is_mapping < 0) return false;
        if (is_mapping) {
            encoder.set_type(type_at, Type::document);
            return write_document(encoder, value, false);
        }
    }
    int is_uuid = PyObject_IsInstance(value, encoder.kinds.uuid.get());
    if (is_uuid < 0) return false;
    if (is_uuid) return write_any_uuid(encoder, type_at, value, asked);

    if (!asked.encoder && encoder.options.encoder_map) {
        PyObject* found = PyDict_GetItemWithError(encoder.options.encoder_map.get(), reinterpret_cast<PyObject*>(Py_TYPE(value)));
        if (found == nullptr && PyErr_Occurred()) return false;
        if (found != nullptr) {
            py::Ref transform = py::Ref::share(found);
            return write_transformed(encoder, type_at, transform.get(), value, {true, false});
        }
    }
    if (!asked.fallback && encoder.options.fallback_encoder) {
        return write_transformed(encoder, type_at, encoder.options.fallback_encoder.get(), value, {false, true});
    }
    return fail_cannot_encode(encoder, value);
}

bool write_mapping_document(Encoder& encoder, PyObject* document, bool top_level) {
    ++encoder.user_code;
    long marker = type_marker(encoder, document);
    if (marker < 0) return false;
    if (marker == raw_document_marker) return write_raw(encoder, document);
    int is_mapping = PyObject_IsInstance(document, encoder.kinds.mapping.get());
    if (is_mapping < 0) return false;
    if (!is_mapping) return fail_not_mapping(document);
    const std::size_t start = encoder.size();
    if (!encoder.reserve(4)) return false;
    encoder.advance(4);
    return write_mapping_elements(encoder, document, top_level) && finish_document(encoder, start);
}

bool write_mapping_elements(Encoder& encoder, PyObject* mapping, bool top_level) {
    ++encoder.user_code;
    PyObject* id_key = encoder.kinds.id_key.get();
    if (top_level && PyMapping_HasKey(mapping, id_key)) {
        py::Ref id = py::Ref::steal(PyObject_GetItem(mapping, id_key));
        if (!id || !write_named(encoder, "_id", 3, id.get())) return false;
    }
    py::Ref iterator = py::Ref::steal(PyObject_GetIter(mapping));
    if (!iterator) return false;
    while (py::Ref key = py::Ref::steal(PyIter_Next(iterator.get()))) {
        py::Ref value = py::Ref::steal(PyObject_GetItem(mapping, key.get()));
        if (!value) {
            PyErr_SetObject(PyExc_KeyError, key.get());
            return false;
        }
        if (!write_pair(encoder, key.get(), value.get(), top_level)) {
            if (top_level) wrap_invalid_document(encoder, mapping);
            return false;
        }
    }
    return PyErr_Occurred() == nullptr;
}

bool fail_key_type(Encoder& encoder, PyObject* key) {
    PyErr_Format(encoder.kinds.invalid_document.get(), "documents must have only string keys, key was %R", key);
    return false;
}

bool fail_key_nul(Encoder& encoder) {
    PyErr_SetString(encoder.kinds.invalid_document.get(), "Key names must not contain the NULL byte");
    return false;
}

bool check_key(Encoder& encoder, const char* key, std::size_t size) {
    const char* text = nullptr;
    if (size > 0 && key[0] == '$') text = "key '%s' must not start with '$'";
    else if (std::memchr(key, '.', size) != nullptr) text = "key '%s' must not contain '.'";
    if (text == nullptr) return true;
    if (std::memchr(key, 0, size) != nullptr) return fail_key_nul(encoder);
    PyErr_Format(encoder.kinds.invalid_document.get(), text, key);
    return false;
}

void wrap_invalid_document(Encoder& encoder, PyObject* document) {
    const Kinds& kinds = encoder.kinds;
    if (!PyErr_ExceptionMatches(kinds.invalid_document.get())) return;
    py::Ref raised = py::take_exception();
    py::Ref text = py::Ref::steal(PyObject_Str(raised.get())), wrapped;
    if (text && kinds.invalid_document_keeps_document) {
        text = py::Ref::steal(PyUnicode_FromFormat("Invalid document: %U", text.get()));
        if (text) {
            wrapped = py::Ref::steal(
                PyObject_CallFunctionObjArgs(kinds.invalid_document.get(), text.get(), document, nullptr));
        }
    } else if (text) {
        text = py::Ref::steal(PyUnicode_FromFormat("Invalid document %S | %U", document, text.get()));
        if (text) wrapped = py::Ref::steal(PyObject_CallOneArg(kinds.invalid_document.get(), text.get()));
    }
    if (!wrapped) {
        PyErr_Clear();
        py::restore_exception(std::move(raised));
        return;
    }
    if (py::Ref traceback = py::Ref::steal(PyException_GetTraceback(raised.get()))) {
        PyException_SetTraceback(wrapped.get(), traceback.get());
    }
    py::restore_exception(std::move(wrapped));
}

}  // namespace barewire::walk
