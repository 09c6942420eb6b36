// Reading a CodecOptions tuple of `bson` into plain fields, once per object.
#include "walk/options.h"

#include <cstring>
#include <utility>

#include "py/compat.h"

namespace barewire::walk {

namespace {

// Order of the fields of bson.codec_options.CodecOptions, a named tuple.
enum Field : Py_ssize_t {
    document_class_field,
    tz_aware_field,
    uuid_representation_field,
    unicode_error_handler_field,
    tzinfo_field,
    type_registry_field,
    datetime_conversion_field,
    field_count
};

constexpr long raw_document_marker = 101;  // bson.codec_options._RAW_BSON_DOCUMENT_MARKER

bool read_int(PyObject* object, long& out) {
    out = PyLong_AsLong(object);
    return out != -1 || !PyErr_Occurred();
}

// An attribute of the type registry that is a dict; `out` stays empty if the dict is.
bool read_map(PyObject* registry, const char* name, py::Ref& out) {
    py::Ref map = py::Ref::steal(PyObject_GetAttrString(registry, name));
    if (!map) return false;
    if (!PyDict_Check(map.get())) {
        PyErr_Format(PyExc_TypeError, "%s of the type registry must be a dict, not %.200s", name, map.type()->tp_name);
        return false;
    }
    if (PyDict_GET_SIZE(map.get()) != 0) out = std::move(map);
    return true;
}

bool read_registry(PyObject* registry, CodecOptions& out) {
    out.type_registry = py::Ref::share(registry);
    if (!read_map(registry, "_encoder_map", out.encoder_map)) return false;
    if (!read_map(registry, "_decoder_map", out.decoder_map)) return false;
    py::Ref fallback = py::Ref::steal(PyObject_GetAttrString(registry, "_fallback_encoder"));
    if (!fallback) return false;
    if (fallback.get() != Py_None) out.fallback_encoder = std::move(fallback);
    return true;
}

bool read_document_class(PyObject* document_class, CodecOptions& out) {
    out.document_class = py::Ref::share(document_class);
    out.document_is_dict = document_class == reinterpret_cast<PyObject*>(&PyDict_Type);
    out.document_is_raw = false;
    if (out.document_is_dict) return true;
    py::Ref name = py::Ref::steal(PyUnicode_FromString("_type_marker"));
    if (!name) return false;
    py::Ref marker;
    if (py::get_optional_attribute(document_class, name.get(), marker) < 0) return false;
    if (marker && PyLong_CheckExact(marker.get())) {
        long value = PyLong_AsLong(marker.get());
        if (value == -1 && PyErr_Occurred()) PyErr_Clear();
        out.document_is_raw = value == raw_document_marker;
    }
    return true;
}

bool read_error_handler(PyObject* handler, CodecOptions& out) {
    if (handler == Py_None) return true;
    const char* text = PyUnicode_AsUTF8(handler);
    if (text == nullptr) return false;
    if (std::strcmp(text, "strict") != 0) out.unicode_error_handler = py::Ref::share(handler);
    return true;
}

}  // namespace

bool resolve_codec_options(Kinds& kinds, PyObject* object, CodecOptions& out) {
    if (!kinds.resolve()) return false;
    out = CodecOptions{};
    if (object == nullptr || object == Py_None) {
        out.document_class = py::Ref::share(reinterpret_cast<PyObject*>(&PyDict_Type));
        return true;
    }
    const int instance = PyObject_IsInstance(object, kinds.codec_options.get());
    if (instance < 0) return false;
    if (!instance || !PyTuple_Check(object) || PyTuple_GET_SIZE(object) != field_count) {
        PyErr_SetString(PyExc_TypeError, "codec_options must be an instance of CodecOptions");
        return false;
    }
    auto field = [object](Field which) { return PyTuple_GET_ITEM(object, which); };
    out.source = py::Ref::share(object);
    if (!read_document_class(field(document_class_field), out)) return false;
    const int aware = PyObject_IsTrue(field(tz_aware_field));
    if (aware < 0) return false;
    out.tz_aware = aware == 1;
    if (field(tzinfo_field) != Py_None) out.tzinfo = py::Ref::share(field(tzinfo_field));
    long representation = 0, conversion = 0;
    if (!read_int(field(uuid_representation_field), representation)) return false;
    if (!read_int(field(datetime_conversion_field), conversion)) return false;
    out.uuid_representation = static_cast<UuidRepresentation>(representation);
    out.datetime_conversion = static_cast<DatetimeConversion>(conversion);
    if (!read_error_handler(field(unicode_error_handler_field), out)) return false;
    return read_registry(field(type_registry_field), out);
}

std::shared_ptr<const CodecOptions> cached_codec_options(Kinds& kinds, PyObject* object) {
    if (object == nullptr || object == Py_None) {
        if (BAREWIRE_LIKELY(kinds.default_options != nullptr)) return kinds.default_options;
    } else if (kinds.cached_options && kinds.cached_options->source.get() == object) {
        return kinds.cached_options;
    }
    auto options = std::make_shared<CodecOptions>();
    if (!resolve_codec_options(kinds, object, *options)) return nullptr;
    (options->source ? kinds.cached_options : kinds.default_options) = options;
    return options;
}

}  // namespace barewire::walk
