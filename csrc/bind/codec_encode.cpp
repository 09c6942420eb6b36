// Python functions `encode`, `encode_many`, `insert_batches` and `internals` of barewire._core; walking is in walk/.
#include "bind/codec_encode.h"

#include <memory>
#include <new>

#include "bind/arena.h"
#include "bind/args.h"
#include "py/internals/list.h"
#include "py/internals/selftest.h"
#include "py/ref.h"
#include "walk/bson_encode.h"
#include "walk/bson_insert.h"
#include "walk/options.h"

namespace barewire::bind {

namespace {

constexpr Parameters<3> encode_parameters{"encode", {"document", "check_keys", "codec_options"}, 1};
constexpr Parameters<3> encode_many_parameters{"encode_many", {"documents", "check_keys", "codec_options"}, 1};

// What both functions take besides the documents.
struct Settings {
    const walk::CodecOptions* options = nullptr;
    bool check_keys = false;
    std::shared_ptr<const walk::CodecOptions> held;  // for options that the cache may drop while user code runs

    [[nodiscard]] bool read(walk::Kinds& kinds, PyObject* check, PyObject* codec_options) {
        if (check != nullptr) {
            const int truth = PyObject_IsTrue(check);
            if (truth < 0) return false;
            check_keys = truth != 0;
        }
        // Unlike the decoding functions, `bson.encode` does not take None for the default.
        if (BAREWIRE_UNLIKELY(codec_options == Py_None)) {
            PyErr_SetString(PyExc_TypeError, "codec_options must be an instance of CodecOptions");
            return false;
        }
        // The default options stay for as long as the module does.
        if (codec_options == nullptr && kinds.default_options != nullptr) {
            options = kinds.default_options.get();
            return true;
        }
        held = walk::cached_codec_options(kinds, codec_options);
        options = held.get();
        return options != nullptr;
    }
};

PyObject* to_bytes(const base::Buffer& buffer) {
    return PyBytes_FromStringAndSize(reinterpret_cast<const char*>(buffer.data()),
                                     static_cast<Py_ssize_t>(buffer.size()));
}

PyObject* encode(PyObject* module, PyObject* const* arguments, Py_ssize_t given, PyObject* keywords) try {
    std::array<PyObject*, 3> values;
    if (!parse_arguments(encode_parameters, arguments, given, keywords, values)) return nullptr;
    walk::Kinds& kinds = state_of_module(module).kinds;
    Settings settings;
    if (!settings.read(kinds, values[1], values[2])) return nullptr;
    Arena arena;
    walk::EncodeContext context{kinds, *settings.options, arena.buffer(), settings.check_keys};
    if (!walk::encode_document(context, values[0], true)) return nullptr;
    return to_bytes(arena.buffer());
} catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
}

// Documents of a list or tuple in place; it is read again for each, because encoding may run user code.
bool encode_items(walk::EncodeContext& context, PyObject* documents) {
    const bool is_list = PyList_CheckExact(documents);
    for (Py_ssize_t i = 0;; ++i) {
        py::Items items = is_list ? py::list_items(documents) : py::tuple_items(documents);
        if (i >= items.size) return true;
        py::Ref document = py::Ref::share(items.data[i]);
        if (!walk::encode_document(context, document.get(), true)) return false;
    }
}

bool encode_iterable(walk::EncodeContext& context, PyObject* documents) {
    if (PyList_CheckExact(documents) || PyTuple_CheckExact(documents)) return encode_items(context, documents);
    py::Ref iterator = py::Ref::steal(PyObject_GetIter(documents));
    if (!iterator) return false;
    while (py::Ref document = py::Ref::steal(PyIter_Next(iterator.get()))) {
        if (!walk::encode_document(context, document.get(), true)) return false;
    }
    return PyErr_Occurred() == nullptr;
}

PyObject* encode_many(PyObject* module, PyObject* const* arguments, Py_ssize_t given, PyObject* keywords) try {
    std::array<PyObject*, 3> values;
    if (!parse_arguments(encode_many_parameters, arguments, given, keywords, values)) return nullptr;
    walk::Kinds& kinds = state_of_module(module).kinds;
    Settings settings;
    if (!settings.read(kinds, values[1], values[2])) return nullptr;
    Arena arena;
    walk::EncodeContext context{kinds, *settings.options, arena.buffer(), settings.check_keys};
    if (!encode_iterable(context, values[0])) return nullptr;
    return to_bytes(arena.buffer());
} catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
}

constexpr Parameters<5> insert_batches_parameters{
    "insert_batches", {"documents", "write_back", "max_documents", "max_bytes", "max_document_size"}, 1};

// A limit given as an int; SIZE_MAX when it is not given.
bool read_limit(PyObject* object, std::size_t& out) {
    out = static_cast<std::size_t>(-1);
    if (object == nullptr) return true;
    out = PyLong_AsSize_t(object);
    return out != static_cast<std::size_t>(-1) || !PyErr_Occurred();
}

// Encodes batch after batch as the clients do; each as (bytes, documents, why it ended).
bool append_batches(walk::InsertContext& context, walk::DocumentSource& source, const walk::InsertLimits& limits,
                    PyObject* batches) {
    constexpr const char* reasons[] = {"exhausted", "documents", "bytes", "too_large", "failed"};
    for (;;) {
        context.encode.out.clear();
        walk::InsertBatch batch = walk::encode_insert_batch(context, source, limits);
        if (batch.stop == walk::InsertStop::failed) return false;
        py::Ref bytes = py::Ref::steal(to_bytes(context.encode.out));
        if (!bytes) return false;
        py::Ref entry = py::Ref::steal(Py_BuildValue("(Ons)", bytes.get(), static_cast<Py_ssize_t>(batch.documents),
                                                     reasons[static_cast<int>(batch.stop)]));
        if (!entry || PyList_Append(batches, entry.get()) < 0) return false;
        if (batch.stop == walk::InsertStop::exhausted || batch.stop == walk::InsertStop::too_large) return true;
    }
}

PyObject* insert_batches(PyObject* module, PyObject* const* arguments, Py_ssize_t given, PyObject* keywords) try {
    std::array<PyObject*, 5> values;
    if (!parse_arguments(insert_batches_parameters, arguments, given, keywords, values)) return nullptr;
    walk::Kinds& kinds = state_of_module(module).kinds;
    Settings settings;
    if (!settings.read(kinds, nullptr, nullptr)) return nullptr;
    const int write_back = values[1] == nullptr ? 1 : PyObject_IsTrue(values[1]);
    walk::InsertLimits limits{};
    if (write_back < 0 || !read_limit(values[2], limits.documents) || !read_limit(values[3], limits.bytes) ||
        !read_limit(values[4], limits.document_size)) {
        return nullptr;
    }
    walk::DocumentSource source;
    if (!source.open(values[0])) return nullptr;
    Arena arena;
    walk::EncodeContext encode_context{kinds, *settings.options, arena.buffer(), false};
    py::Ref ids = py::Ref::steal(PyList_New(0)), batches = py::Ref::steal(PyList_New(0));
    if (!ids || !batches) return nullptr;
    walk::InsertContext context{encode_context, write_back != 0, ids.get()};
    if (!append_batches(context, source, limits, batches.get())) return nullptr;
    return Py_BuildValue("(OO)", batches.get(), ids.get());
} catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
}

PyObject* internals(PyObject*, PyObject*) { return py::describe_internals().release(); }

PyMethodDef methods[] = {
    {"encode", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&encode)), METH_FASTCALL | METH_KEYWORDS,
     "encode(document, check_keys=False, codec_options=DEFAULT_CODEC_OPTIONS)\n\n"
     "BSON bytes of one mapping; a top-level \"_id\" is written first.\n\n"
     "Same results and errors as `bson.encode` with its C extension: TypeError if the document is not a mapping,\n"
     "InvalidDocument for keys that are not str and values that cannot be encoded, OverflowError for ints beyond\n"
     "64 bits, UnicodeEncodeError for lone surrogates, ValueError over 2 GiB. From CPython 3.11 on the exception\n"
     "carries a note with the path of the value. Format: bsonspec.org, version 1.1."},
    {"encode_many", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&encode_many)),
     METH_FASTCALL | METH_KEYWORDS,
     "encode_many(documents, check_keys=False, codec_options=DEFAULT_CODEC_OPTIONS)\n\n"
     "BSON bytes of all mappings of an iterable, back to back, as `decode_all` reads them.\n\n"
     "Errors as in `encode`, raised by the first document that fails; nothing is returned then."},
    {"insert_batches", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&insert_batches)),
     METH_FASTCALL | METH_KEYWORDS,
     "insert_batches(documents, write_back=True, max_documents=..., max_bytes=..., max_document_size=...)\n\n"
     "What the insert methods of the clients encode, without a server: (batches, ids), where a batch is\n"
     "(bytes of its documents, their number, why it ended: \"exhausted\", \"documents\", \"bytes\" or\n"
     "\"too_large\"). Sizes are in bytes. A document without \"_id\" gets an ObjectId, written into it if\n"
     "`write_back`. Errors as in `encode`; TypeError for what is no mutable mapping."},
    {"internals", &internals, METH_NOARGS,
     "internals()\n\n"
     "Which accesses to CPython objects are in use: a dict with the keys \"dict\" (the layout compiled in),\n"
     "\"dict_tables\" (whether it passed the self test at import), \"text\" and \"integer\"."},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

bool add_codec_encode(PyObject* module, ModuleState&) {
    return py::verify_internals() && PyModule_AddFunctions(module, methods) == 0;
}

}  // namespace barewire::bind
