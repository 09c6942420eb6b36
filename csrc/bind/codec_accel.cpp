// Functions with the signatures of bson._cbson, for barewire.bson.accelerate(); the walking is in walk/.
#include "bind/codec_accel.h"

#include <cstring>
#include <memory>
#include <new>
#include <span>

#include "base/bytes.h"
#include "bind/arena.h"
#include "py/guard.h"
#include "py/ref.h"
#include "walk/bson_element.h"
#include "walk/bson_encode.h"
#include "walk/decode_errors.h"
#include "walk/object_id.h"
#include "walk/options.h"

namespace barewire::bind {

namespace {

using py::Ref;
using Options = std::shared_ptr<const walk::CodecOptions>;

constexpr std::size_t smallest_document = 5;
constexpr std::uint8_t document_type = 0x03;

PyObject* to_bytes(const base::Buffer& buffer) {
    return PyBytes_FromStringAndSize(reinterpret_cast<const char*>(buffer.data()),
                                     static_cast<Py_ssize_t>(buffer.size()));
}

bool wrong_count(const char* function, Py_ssize_t given) {
    PyErr_Format(PyExc_TypeError, "%s() got %zd arguments", function, given);
    return false;
}

// (document, check_keys, codec_options, top_level=True)
PyObject* dict_to_bson(PyObject* module, PyObject* const* arguments, Py_ssize_t given) try {
    if ((given < 3 || given > 4) && !wrong_count("_dict_to_bson", given)) return nullptr;
    const int check_keys = PyObject_IsTrue(arguments[1]);
    const int top_level = given == 4 ? PyObject_IsTrue(arguments[3]) : 1;
    if (check_keys < 0 || top_level < 0) return nullptr;
    if (arguments[2] == Py_None) {
        PyErr_SetString(PyExc_TypeError, "codec_options must be an instance of CodecOptions");
        return nullptr;
    }
    walk::Kinds& kinds = state_of_module(module).kinds;
    const Options options = walk::cached_codec_options(kinds, arguments[2]);
    if (!options) return nullptr;
    Arena arena;
    walk::EncodeContext context{kinds, *options, arena.buffer(), check_keys != 0};
    if (!walk::encode_document(context, arguments[0], top_level != 0)) return nullptr;
    return to_bytes(arena.buffer());
} catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
}

// (data, position, end, codec_options, raw_array) -> (key, value, position behind the element)
PyObject* element_to_dict(PyObject* module, PyObject* arguments) try {
    PyObject *data = nullptr, *options_object = nullptr;
    unsigned position = 0, end = 0;
    int raw_array = 0;
    if (!PyArg_ParseTuple(arguments, "OIIOp", &data, &position, &end, &options_object, &raw_array)) return nullptr;
    walk::Kinds& kinds = state_of_module(module).kinds;
    const Options options = walk::cached_codec_options(kinds, options_object);
    if (!options) return nullptr;
    if (!PyBytes_Check(data)) {
        PyErr_SetString(PyExc_TypeError, "argument to _element_to_dict must be a bytes object");
        return nullptr;
    }
    if (end > static_cast<std::size_t>(PyBytes_GET_SIZE(data))) {
        return walk::invalid_bson(kinds, "field name too large");
    }
    const auto* bytes = reinterpret_cast<const std::uint8_t*>(PyBytes_AS_STRING(data));
    walk::DecodeContext context{kinds, *options};
    walk::DecodedElement element;
    if (!walk::decode_element(context, bytes, position, end, raw_array != 0, element)) return nullptr;
    return Py_BuildValue("OOn", element.key.get(), element.value.get(), static_cast<Py_ssize_t>(element.end));
} catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
}

// The documents of a BSON array, back to back. Errors and their order are those of the function it stands for.
const char* copy_documents(std::span<const std::uint8_t> array, base::Buffer& out) {
    if (array.size() < smallest_document) return "not enough data for a BSON document";
    const auto size = base::load_little<std::uint32_t>(array.data());
    if (array.size() != size || static_cast<std::int32_t>(size) < static_cast<std::int32_t>(smallest_document)) {
        return "objsize too large";
    }
    if (array[size - 1] != 0) return "bad eoo";
    std::size_t at = 4;
    while (at < size - 1) {
        if (array[at] != document_type) return "array element was not an object";
        // The terminator of the array ends the search at the latest.
        const auto* nul = static_cast<const std::uint8_t*>(std::memchr(array.data() + at, 0, size - at));
        at = static_cast<std::size_t>(nul - array.data()) + 1;
        if (at >= size || size - at < smallest_document) return "invalid array content";
        const auto length = base::load_little<std::uint32_t>(array.data() + at);
        if (length < smallest_document) return "invalid message size";
        if (length >= size - at) return "invalid array content";
        if (!out.append(array.data() + at, length)) throw std::bad_alloc();
        at += length;
    }
    return nullptr;
}

PyObject* array_of_documents_to_buffer(PyObject* module, PyObject* array) try {
    walk::Kinds& kinds = state_of_module(module).kinds;
    if (!kinds.resolve()) return nullptr;
    py::BufferView view;
    if (!view.acquire(array)) return nullptr;
    if (view.item_size() != 1) {
        PyErr_SetString(PyExc_ValueError, "buffer data must be ascii or utf8");
        return nullptr;
    }
    Arena arena;
    const char* problem = copy_documents({view.data(), static_cast<std::size_t>(view.size())}, arena.buffer());
    if (problem != nullptr) return walk::invalid_bson(kinds, problem);
    return to_bytes(arena.buffer());
} catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
}

PyObject* object_id_bytes(PyObject*, PyObject*) {
    return walk::new_object_id_bytes().release();
}

PyMethodDef methods[] = {
    {"seam_dict_to_bson", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&dict_to_bson)), METH_FASTCALL,
     PyDoc_STR("seam_dict_to_bson(document, check_keys, codec_options, top_level=True, /)\n--\n\n"
               "Stands for bson._cbson._dict_to_bson: BSON bytes of a mapping; \"_id\" first at the top level only.")},
    {"seam_element_to_dict", &element_to_dict, METH_VARARGS,
     PyDoc_STR("seam_element_to_dict(data, position, end, codec_options, raw_array, /)\n--\n\n"
               "Stands for bson._cbson._element_to_dict: (key, value, position behind it) of one element.")},
    {"seam_array_of_documents_to_buffer", &array_of_documents_to_buffer, METH_O,
     PyDoc_STR("seam_array_of_documents_to_buffer(array, /)\n--\n\n"
               "Stands for bson._cbson._array_of_documents_to_buffer: the documents of a BSON array, back to back.")},
    {"object_id_bytes", &object_id_bytes, METH_NOARGS,
     PyDoc_STR("object_id_bytes()\n--\n\nThe 12 bytes of a new ObjectId: time, random bytes of this process, counter.")},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

bool add_codec_accel(PyObject* module, ModuleState&) { return PyModule_AddFunctions(module, methods) == 0; }

}  // namespace barewire::bind
