// Functions with the signatures of pymongo._cmessage: whole OP_MSG and write command messages, documents encoded in place.
// Format: MongoDB wire protocol, OP_MSG. The walking is in walk/.
#include <algorithm>
#include <charconv>
#include <climits>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

#include "base/bytes.h"
#include "bind/arena.h"
#include "bind/codec_accel.h"
#include "py/ref.h"
#include "walk/bson_encode.h"
#include "walk/options.h"

namespace barewire::bind {

namespace {

using py::Ref;
using Options = std::shared_ptr<const walk::CodecOptions>;

constexpr std::int32_t op_msg = 2013;
constexpr std::uint8_t array_type = 0x04;
constexpr int operation_insert = 0, operation_update = 1, operation_delete = 2;
// What the server allows a command beyond the largest document, less the two terminators.
constexpr long command_overhead = 16382;

// pymongo.errors.NAME(text); returns false.
bool fail_pymongo(const char* name, PyObject* text) {
    Ref message = Ref::steal(text);
    Ref errors = Ref::steal(PyImport_ImportModule("pymongo.errors"));
    if (!message || !errors) return false;
    Ref type = Ref::steal(PyObject_GetAttrString(errors.get(), name));
    if (type) PyErr_SetObject(type.get(), message.get());
    return false;
}

bool fail_too_large(int operation, std::size_t size, long limit) {
    if (operation != operation_insert) {
        return fail_pymongo("DocumentTooLarge", PyUnicode_FromFormat("%s command document too large",
                                                                     operation == operation_update ? "update" : "delete"));
    }
    return fail_pymongo("DocumentTooLarge",
                        PyUnicode_FromFormat("BSON document too large (%zu bytes) - the connected server supports BSON "
                                             "document sizes up to %ld bytes.",
                                             size, limit));
}

// A message that is being built in this thread's arena; errors of memory come as std::bad_alloc.
class Message {
public:
    Message(walk::Kinds& kinds, const walk::CodecOptions& options) : context_{kinds, options, arena_.buffer()} {}

    base::Buffer& out() noexcept { return context_.out; }
    std::size_t size() const noexcept { return context_.out.size(); }

    void raw(const void* bytes, std::size_t count) {
        if (!out().append(bytes, count)) throw std::bad_alloc();
    }
    template <class Integer>
    void put(Integer value) {
        if (!out().append_little(value)) throw std::bad_alloc();
    }
    // Leaves room for a length and returns where.
    std::size_t hole() {
        const std::size_t at = size();
        put(std::int32_t{0});
        return at;
    }
    void fill(std::size_t at, std::size_t value) noexcept {
        base::store_little(out().data() + at, static_cast<std::int32_t>(value));
    }
    [[nodiscard]] bool document(PyObject* document, bool top_level) {
        return walk::encode_document(context_, document, top_level);
    }
    // The whole message as bytes; its size has to fit the length field.
    PyObject* bytes() {
        if (size() > INT_MAX) {
            PyErr_SetString(PyExc_ValueError, "Document would overflow BSON size limit");
            return nullptr;
        }
        return PyBytes_FromStringAndSize(reinterpret_cast<const char*>(out().data()), static_cast<Py_ssize_t>(size()));
    }

private:
    Arena arena_;
    walk::EncodeContext context_;
};

// Header up to the flags with the length left open; returns the request id.
int put_header(Message& message) {
    // As the functions that these stand for: any number will do, a connection has one request at a time.
    const int request_id = std::rand();
    message.hole();
    message.put(static_cast<std::int32_t>(request_id));
    message.put(std::int32_t{0});
    message.put(op_msg);
    return request_id;
}

// (flags, command, identifier, documents, codec_options) -> (request id, message, size of its documents, largest document)
PyObject* message_op_msg(PyObject* module, PyObject* arguments) try {
    unsigned flags = 0;
    PyObject *command = nullptr, *documents = nullptr, *options_object = nullptr;
    const char* identifier = nullptr;
    Py_ssize_t identifier_size = 0;
    if (!PyArg_ParseTuple(arguments, "IOs#OO", &flags, &command, &identifier, &identifier_size, &documents,
                          &options_object)) {
        return nullptr;
    }
    walk::Kinds& kinds = state_of_module(module).kinds;
    const Options options = walk::cached_codec_options(kinds, options_object);
    if (!options) return nullptr;
    Message message(kinds, *options);
    const int request_id = put_header(message);
    message.put(flags);
    message.raw("\0", 1);
    const std::size_t body = message.size();
    if (!message.document(command, true)) return nullptr;
    std::size_t total = message.size() - body, largest = 0;
    if (identifier_size != 0) {
        message.raw("\1", 1);
        const std::size_t sequence = message.hole();
        message.raw(identifier, static_cast<std::size_t>(identifier_size) + 1);
        Ref iterator = Ref::steal(PyObject_GetIter(documents));
        if (!iterator) return nullptr;
        while (Ref document = Ref::steal(PyIter_Next(iterator.get()))) {
            const std::size_t begin = message.size();
            if (!message.document(document.get(), true)) return nullptr;
            largest = std::max(largest, message.size() - begin);
        }
        if (PyErr_Occurred()) return nullptr;
        message.fill(sequence, message.size() - sequence);
        total += message.size() - sequence;
    }
    message.fill(0, message.size());
    Ref bytes = Ref::steal(message.bytes());
    if (!bytes) return nullptr;
    return Py_BuildValue("iOnn", request_id, bytes.get(), static_cast<Py_ssize_t>(total),
                         static_cast<Py_ssize_t>(largest));
} catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
}

// Name of the document sequence with its NUL; nullptr with InvalidOperation set.
const char* sequence_name(int operation) {
    if (operation == operation_insert) return "documents";
    if (operation == operation_update) return "updates";
    if (operation == operation_delete) return "deletes";
    fail_pymongo("InvalidOperation", PyUnicode_FromString("Unknown command"));
    return nullptr;
}

[[nodiscard]] bool read_limit(PyObject* context, const char* name, long& limit) {
    Ref value = Ref::steal(PyObject_GetAttrString(context, name));
    if (!value) return false;
    limit = PyLong_AsLong(value.get());
    return limit != -1 || !PyErr_Occurred();
}

Ref iterate(PyObject* documents) {
    Ref iterator = Ref::steal(PyObject_GetIter(documents));
    if (!iterator) fail_pymongo("InvalidOperation", PyUnicode_FromString("input is not iterable"));
    return iterator;
}

// Body and one document sequence with as many documents as fit; those that do are appended to `sent`.
bool put_batch(Message& message, int operation, PyObject* command, PyObject* documents, bool acknowledged,
               PyObject* context, PyObject* sent) {
    long largest = 0, most = 0, longest = 0;
    if (!read_limit(context, "max_bson_size", largest) || !read_limit(context, "max_write_batch_size", most) ||
        !read_limit(context, "max_message_size", longest)) {
        return false;
    }
    message.put(std::uint32_t{acknowledged ? 0u : 2u});
    message.raw("\0", 1);
    if (!message.document(command, false)) return false;
    message.raw("\1", 1);
    const std::size_t sequence = message.hole();
    const char* name = sequence_name(operation);
    if (name == nullptr) return false;
    message.raw(name, std::strlen(name) + 1);
    Ref iterator = iterate(documents);
    if (!iterator) return false;
    const auto limit = static_cast<std::size_t>(longest);
    long count = 0;
    while (Ref document = Ref::steal(PyIter_Next(iterator.get()))) {
        const std::size_t begin = message.size();
        if (!message.document(document.get(), true)) return false;
        const std::size_t size = message.size() - begin;
        // An acknowledged write leaves the limit for one document to the server, which may skip it and go on.
        if ((count == 0 && message.size() > limit) || (!acknowledged && size > static_cast<std::size_t>(largest))) {
            return fail_too_large(operation, size, largest);
        }
        if (message.size() > limit) {
            message.out().truncate(begin);
            break;
        }
        if (PyList_Append(sent, document.get()) < 0) return false;
        if (++count == most) break;
    }
    if (PyErr_Occurred()) return false;
    message.fill(sequence, message.size() - sequence);
    return true;
}

// (operation, command, documents, acknowledged, codec_options, context) -> (request id, message, documents sent);
// without a header (message, documents sent).
PyObject* batched(PyObject* module, PyObject* arguments, bool with_header) try {
    unsigned char operation = 0, acknowledged = 0;
    PyObject *command = nullptr, *documents = nullptr, *options_object = nullptr, *context = nullptr;
    if (!PyArg_ParseTuple(arguments, "bOObOO", &operation, &command, &documents, &acknowledged, &options_object,
                          &context)) {
        return nullptr;
    }
    walk::Kinds& kinds = state_of_module(module).kinds;
    const Options options = walk::cached_codec_options(kinds, options_object);
    Ref sent = Ref::steal(PyList_New(0));
    if (!options || !sent) return nullptr;
    Message message(kinds, *options);
    const int request_id = with_header ? put_header(message) : 0;
    if (!put_batch(message, operation, command, documents, acknowledged != 0, context, sent.get())) return nullptr;
    if (with_header) message.fill(0, message.size());
    Ref bytes = Ref::steal(message.bytes());
    if (!bytes) return nullptr;
    return with_header ? Py_BuildValue("iOO", request_id, bytes.get(), sent.get())
                       : Py_BuildValue("OO", bytes.get(), sent.get());
} catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
}

PyObject* batched_op_msg(PyObject* module, PyObject* arguments) { return batched(module, arguments, true); }
PyObject* encode_batched_op_msg(PyObject* module, PyObject* arguments) { return batched(module, arguments, false); }

// One command document with the documents as an array in it, as automatic encryption needs it.
bool put_write_command(Message& message, const char* name_space, std::size_t name_space_size, int operation,
                       PyObject* command, PyObject* documents, PyObject* context, PyObject* sent) {
    long largest = 0, most = 0, split = 0;
    if (!read_limit(context, "max_bson_size", largest) || !read_limit(context, "max_write_batch_size", most) ||
        !read_limit(context, "max_split_size", split)) {
        return false;
    }
    message.put(std::int32_t{0});
    message.raw(name_space, name_space_size + 1);
    message.put(std::int32_t{0});
    message.put(std::int32_t{-1});
    const std::size_t body = message.size();
    if (!message.document(command, false)) return false;
    // The terminator of the command becomes the type byte of the array.
    message.out().data()[message.size() - 1] = array_type;
    const char* name = sequence_name(operation);
    if (name == nullptr) return false;
    message.raw(name, std::strlen(name) + 1);
    const std::size_t array = message.hole();
    Ref iterator = iterate(documents);
    if (!iterator) return false;
    long count = 0;
    while (Ref document = Ref::steal(PyIter_Next(iterator.get()))) {
        const std::size_t element = message.size();
        char key[24] = "\3";
        char* key_end = std::to_chars(key + 1, key + sizeof key - 1, count).ptr;
        *key_end = 0;
        message.raw(key, static_cast<std::size_t>(key_end + 1 - key));
        const std::size_t begin = message.size();
        if (!message.document(document.get(), true)) return false;
        const std::size_t size = message.size() - begin;
        if (size > static_cast<std::size_t>(largest + command_overhead)) return fail_too_large(operation, size, largest);
        if (count >= 1 && message.size() > static_cast<std::size_t>(split)) {
            message.out().truncate(element);
            break;
        }
        if (PyList_Append(sent, document.get()) < 0) return false;
        if (++count == most) break;
    }
    if (PyErr_Occurred()) return false;
    message.raw("\0\0", 2);
    message.fill(array, message.size() - array - 1);
    message.fill(body, message.size() - body);
    return true;
}

// (namespace, operation, command, documents, codec_options, context) -> (message, documents sent)
PyObject* encode_batched_write_command(PyObject* module, PyObject* arguments) try {
    const char* name_space = nullptr;
    Py_ssize_t name_space_size = 0;
    unsigned char operation = 0;
    PyObject *command = nullptr, *documents = nullptr, *options_object = nullptr, *context = nullptr;
    if (!PyArg_ParseTuple(arguments, "s#bOOOO", &name_space, &name_space_size, &operation, &command, &documents,
                          &options_object, &context)) {
        return nullptr;
    }
    walk::Kinds& kinds = state_of_module(module).kinds;
    const Options options = walk::cached_codec_options(kinds, options_object);
    Ref sent = Ref::steal(PyList_New(0));
    if (!options || !sent) return nullptr;
    Message message(kinds, *options);
    if (!put_write_command(message, name_space, static_cast<std::size_t>(name_space_size), operation, command, documents,
                           context, sent.get())) {
        return nullptr;
    }
    Ref bytes = Ref::steal(message.bytes());
    if (!bytes) return nullptr;
    return Py_BuildValue("OO", bytes.get(), sent.get());
} catch (const std::bad_alloc&) {
    return PyErr_NoMemory();
}

PyMethodDef methods[] = {
    {"seam_op_msg", &message_op_msg, METH_VARARGS,
     PyDoc_STR("seam_op_msg(flags, command, identifier, documents, codec_options, /)\n--\n\n"
               "Stands for pymongo._cmessage._op_msg.")},
    {"seam_batched_op_msg", &batched_op_msg, METH_VARARGS,
     PyDoc_STR("seam_batched_op_msg(operation, command, documents, acknowledged, codec_options, context, /)\n--\n\n"
               "Stands for pymongo._cmessage._batched_op_msg.")},
    {"seam_encode_batched_op_msg", &encode_batched_op_msg, METH_VARARGS,
     PyDoc_STR("seam_encode_batched_op_msg(operation, command, documents, acknowledged, codec_options, context, /)\n--\n\n"
               "Stands for pymongo._cmessage._encode_batched_op_msg.")},
    {"seam_encode_batched_write_command", &encode_batched_write_command, METH_VARARGS,
     PyDoc_STR("seam_encode_batched_write_command(namespace, operation, command, documents, codec_options, context, /)\n"
               "--\n\n"
               "Stands for pymongo._cmessage._encode_batched_write_command.")},
    {nullptr, nullptr, 0, nullptr},
};

}  // namespace

bool add_codec_accel_message(PyObject* module, ModuleState&) { return PyModule_AddFunctions(module, methods) == 0; }

}  // namespace barewire::bind
