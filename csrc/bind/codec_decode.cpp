// decode, decode_all, is_valid and raw_to_dict: arguments and buffers only, the walk is in walk/bson_decode.
#include "bind/codec_decode.h"

#include <array>
#include <memory>
#include <new>

#include "bind/args.h"
#include "py/guard.h"
#include "py/ref.h"
#include "walk/bson_decode.h"
#include "walk/bson_reply.h"
#include "walk/decode_errors.h"
#include "walk/options.h"

namespace barewire::bind {

namespace {

using py::Ref;
using Options = std::shared_ptr<const walk::CodecOptions>;

constexpr Parameters<2> decode_parameters{"decode", {"data", "codec_options"}, 1};
constexpr Parameters<2> decode_all_parameters{"decode_all", {"data", "codec_options"}, 1};

// The bytes of one argument, with bson's own checks.
class Input {
public:
    [[nodiscard]] bool acquire(const walk::CodecOptions& options, PyObject* object) {
        owner_ = Ref::share(object);
        // Raw documents may outlive the call as views: what is not immutable bytes is copied first, as bson does.
        if (options.document_is_raw && !PyBytes_Check(object) && !PyByteArray_Check(object)) {
            py::BufferView view;
            if (!view.acquire(object) || !check(view)) return false;
            owner_ = Ref::steal(PyBytes_FromStringAndSize(reinterpret_cast<const char*>(view.data()), view.size()));
            if (!owner_) return false;
        }
        return view_.acquire(owner_.get()) && check(view_);
    }
    const std::uint8_t* data() const noexcept { return view_.data(); }
    std::size_t size() const noexcept { return static_cast<std::size_t>(view_.size()); }
    PyObject* bytes_owner() const noexcept { return PyBytes_Check(owner_.get()) ? owner_.get() : nullptr; }

private:
    static bool check(const py::BufferView& view) {
        const char* problem = view.data() == nullptr   ? "invalid buffer"
                              : view.item_size() != 1 ? "buffer data must be ascii or utf8"
                                                      : nullptr;
        if (problem != nullptr) PyErr_SetString(PyExc_ValueError, problem);
        return problem == nullptr;
    }
    Ref owner_;
    py::BufferView view_;
};

using Walk = Ref (*)(walk::DecodeContext&, const std::uint8_t*, std::size_t);

PyObject* run(PyObject* module, PyObject* data, PyObject* options_object, Walk walk) {
    try {
        walk::Kinds& kinds = state_of_module(module).kinds;
        const Options options = walk::cached_codec_options(kinds, options_object);
        if (!options) return nullptr;
        Input input;
        if (!input.acquire(*options, data)) return nullptr;
        walk::DecodeContext context{kinds, *options, input.bytes_owner()};
        return walk(context, input.data(), input.size()).release();
    } catch (const std::bad_alloc&) {
        return PyErr_NoMemory();
    }
}

PyObject* decode(PyObject* module, PyObject* const* arguments, Py_ssize_t given, PyObject* keywords) {
    std::array<PyObject*, 2> values;
    if (!parse_arguments(decode_parameters, arguments, given, keywords, values)) return nullptr;
    PyObject* options = values[1];
    // Like bson.decode, any false value asks for the defaults.
    if (options != nullptr && options != Py_None) {
        const int chosen = PyObject_IsTrue(options);
        if (chosen < 0) return nullptr;
        if (chosen == 0) options = nullptr;
    }
    return run(module, values[0], options, &walk::decode_document);
}

PyObject* decode_all(PyObject* module, PyObject* const* arguments, Py_ssize_t given, PyObject* keywords) {
    std::array<PyObject*, 2> values;
    if (!parse_arguments(decode_all_parameters, arguments, given, keywords, values)) return nullptr;
    return run(module, values[0], values[1], &walk::decode_document_stream);
}

PyObject* is_valid(PyObject* module, PyObject* data) {
    if (!PyBytes_Check(data)) {
        PyErr_Format(PyExc_TypeError, "BSON data must be an instance of a subclass of bytes, not %R", Py_TYPE(data));
        return nullptr;
    }
    Ref document = Ref::steal(run(module, data, nullptr, &walk::decode_document));
    if (document) return Ref::share(Py_True).release();
    if (!PyErr_ExceptionMatches(PyExc_Exception)) return nullptr;
    PyErr_Clear();
    return Ref::share(Py_False).release();
}

PyObject* raw_to_dict(PyObject* module, PyObject* arguments) {
    PyObject *data = nullptr, *options_object = nullptr, *result = nullptr;
    unsigned position = 0, end = 0;
    int raw_arrays = 0;
    if (!PyArg_ParseTuple(arguments, "OIIOO|p:raw_to_dict", &data, &position, &end, &options_object, &result, &raw_arrays)) {
        return nullptr;
    }
    try {
        walk::Kinds& kinds = state_of_module(module).kinds;
        const Options options = walk::cached_codec_options(kinds, options_object);
        if (!options) return nullptr;
        Input input;
        if (!input.acquire(*options, data)) return nullptr;
        // `end` is where the terminator stands; it also stops every search for the end of a key.
        if (end < 1 || end >= input.size() || position > end || input.data()[end] != 0) {
            return walk::invalid_bson(kinds, "bad object or element length");
        }
        walk::DecodeContext context{kinds, *options, input.bytes_owner()};
        if (!walk::decode_elements_into(context, input.data(), position, end, raw_arrays != 0, result)) return nullptr;
        return Ref::share(result).release();
    } catch (const std::bad_alloc&) {
        return PyErr_NoMemory();
    }
}

constexpr Parameters<2> decode_reply_parameters{"decode_reply", {"data", "codec_options"}, 1};
constexpr Parameters<2> decode_batch_parameters{"decode_batch", {"data", "codec_options"}, 1};

Ref whole_reply(walk::DecodeContext& context, const std::uint8_t* data, std::size_t size) {
    context.owner = nullptr;
    return walk::decode_reply(context, {data, size});
}

Ref cursor_batch(walk::DecodeContext& context, const std::uint8_t* data, std::size_t size) {
    context.owner = nullptr;
    return walk::decode_cursor_batch(context, {data, size});
}

PyObject* decode_reply(PyObject* module, PyObject* const* arguments, Py_ssize_t given, PyObject* keywords) {
    std::array<PyObject*, 2> values;
    if (!parse_arguments(decode_reply_parameters, arguments, given, keywords, values)) return nullptr;
    return run(module, values[0], values[1], &whole_reply);
}

PyObject* decode_batch(PyObject* module, PyObject* const* arguments, Py_ssize_t given, PyObject* keywords) {
    std::array<PyObject*, 2> values;
    if (!parse_arguments(decode_batch_parameters, arguments, given, keywords, values)) return nullptr;
    return run(module, values[0], values[1], &cursor_batch);
}

PyMethodDef methods[] = {
    {"decode", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&decode)), METH_FASTCALL | METH_KEYWORDS,
     PyDoc_STR("decode(data, codec_options=None)\n--\n\n"
               "Decodes one BSON document from any C-contiguous buffer of bytes.\n\n"
               "Returns an instance of codec_options.document_class (dict by default). Raises bson.errors.InvalidBSON if\n"
               "the data is not exactly one valid document, TypeError if it is no buffer or codec_options is no\n"
               "CodecOptions. Format: bsonspec.org, version 1.1.")},
    {"decode_all", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&decode_all)), METH_FASTCALL | METH_KEYWORDS,
     PyDoc_STR("decode_all(data, codec_options=None)\n--\n\n"
               "Decodes documents that lie back to back into a list. Errors as decode().")},
    {"is_valid", &is_valid, METH_O,
     PyDoc_STR("is_valid(bson, /)\n--\n\n"
               "True if the bytes are one valid BSON document. Raises TypeError for anything but bytes.")},
    {"decode_reply", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&decode_reply)),
     METH_FASTCALL | METH_KEYWORDS,
     PyDoc_STR("decode_reply(data, codec_options=None)\n--\n\n"
               "Decodes a command reply. Type decoders of the options apply to the documents of cursor.firstBatch and\n"
               "cursor.nextBatch only. Errors as decode().")},
    {"decode_batch", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&decode_batch)),
     METH_FASTCALL | METH_KEYWORDS,
     PyDoc_STR("decode_batch(data, codec_options=None)\n--\n\n"
               "(documents, cursor id, namespace) of a reply to find, aggregate or getMore; nothing else of the reply is\n"
               "decoded. Raises bson.errors.InvalidBSON if the reply has no cursor, else as decode().")},
    {"raw_to_dict", &raw_to_dict, METH_VARARGS,
     PyDoc_STR("raw_to_dict(data, position, end, codec_options, result, raw_arrays=False, /)\n--\n\n"
               "Decodes the elements from `position` up to the terminator at `end` into the mapping `result`, and\n"
               "returns it. With raw_arrays arrays are kept as their bytes.")},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

bool add_codec_decode(PyObject* module, ModuleState&) { return PyModule_AddFunctions(module, methods) == 0; }

}  // namespace barewire::bind
