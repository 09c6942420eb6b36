// What a reply becomes in Python: a document, a batch, nothing, or an exception. Operations are driven in mongo_call.cpp.
#include <cstring>
#include <iterator>
#include <string_view>
#include <utility>

#include "bind/mongo_call.h"
#include "net/mongo/document_view.h"
#include "walk/bson_decode.h"
#include "walk/values.h"

namespace barewire::bind {

using net::mongo::DocumentView;
using net::mongo::Element;
using py::Ref;

namespace {

// The parts of a command reply that decide what happens to it. Bounds are checked by DocumentView.
struct Summary {
    bool readable = true, ok = false, write_errors = false, write_concern_error = false;
    Element cursor;

    explicit Summary(DocumentView view) {
        Element element;
        while (view.next(element)) {
            const std::string_view name = element.name;
            switch (name.size()) {
                case 2:
                    if (name == "ok") ok = element.boolean() || element.integer() != 0;
                    break;
                case 6:
                    if (name == "cursor" && element.type == net::mongo::element_type::document) cursor = element;
                    break;
                case 11:
                    if (name == "writeErrors") write_errors = true;
                    break;
                case 17:
                    if (name == "writeConcernError") write_concern_error = true;
                    break;
                default: break;
            }
        }
        readable = !view.broken();
    }
};

Ref text(std::string_view value) {
    return Ref::steal(PyUnicode_DecodeUTF8(value.data(), static_cast<Py_ssize_t>(value.size()), "replace"));
}

}  // namespace

// False with a Python error set when the reply is an error; `Errors.reply` decides.
bool MongoCall::check_reply() {
    const Target& target = target_of(target_object_.get());
    walk::DecodeContext context{target.engine->module->kinds, *target.decode};
    Ref document = walk::decode_document(context, reply.data() + reply_document, reply_document_size);
    if (!document) return false;
    Ref bits = Ref::steal(PyLong_FromLong(flags));
    Ref version = Ref::steal(PyLong_FromLong(server.max_wire_version));
    if (!bits || !version) return false;
    PyObject* arguments[] = {target.engine->errors.get(), document.get(), bits.get(), version.get(),
                             server.mongos ? Py_True : Py_False};
    Ref error = Ref::steal(PyObject_VectorcallMethod(names().reply.get(), arguments,
                                                     std::size(arguments) | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr));
    if (!error) return false;
    if (error.get() == Py_None) return true;
    PyErr_SetObject(reinterpret_cast<PyObject*>(error.type()), error.get());
    return false;
}

Ref MongoCall::reply_value() {
    const int shape = flags & shape_mask;
    if (shape == shape_message) {
        if (!expects_reply) return Ref::none();
        constexpr std::size_t header = 16;
        return Ref::steal(PyBytes_FromStringAndSize(reinterpret_cast<const char*>(reply.data()) + header,
                                                    static_cast<Py_ssize_t>(reply.size() - header)));
    }
    if (!expects_reply) return Ref::none();
    const std::uint8_t* document = reply.data() + reply_document;
    const Summary seen{DocumentView(document, reply_document_size)};
    const int check = flags & check_mask;
    const bool concern_counts = check == check_concern || check == check_missing_allowed || check == check_write;
    if (check != check_nothing && (!seen.ok || (seen.write_concern_error && concern_counts) ||
                                   (seen.write_errors && check == check_write) || !seen.readable)) {
        if (!check_reply()) return {};
    }
    const Target& target = target_of(target_object_.get());
    walk::DecodeContext context{target.engine->module->kinds, *target.decode};
    switch (shape) {
        case shape_nothing: return Ref::none();
        case shape_first: return first_value(seen.cursor.value, seen.cursor.size);
        case shape_batch:
            if (seen.cursor) return batch_value(seen.cursor.value, seen.cursor.size);
            PyErr_SetString(PyExc_KeyError, "cursor");  // as PyMongo's reply["cursor"]
            return {};
        case shape_counted: {
            Ref decoded = walk::decode_document(context, document, reply_document_size);
            if (!decoded) return {};
            return Ref::steal(Py_BuildValue("(Nn)", decoded.release(), static_cast<Py_ssize_t>(documents_sent)));
        }
        default: return walk::decode_document(context, document, reply_document_size);
    }
}

Ref MongoCall::first_value(const std::uint8_t* cursor, std::size_t size) {
    if (cursor == nullptr) return Ref::none();
    const Element batch = DocumentView(cursor, size).find("firstBatch");
    DocumentView documents(batch);
    Element first;
    if (!documents.next(first)) return Ref::none();
    const Target& target = target_of(target_object_.get());
    walk::DecodeContext context{target.engine->module->kinds, *target.decode};
    return walk::decode_document(context, first.value, first.size);
}

Ref MongoCall::batch_value(const std::uint8_t* cursor, std::size_t size) {
    Engine& engine = engine_of(engine_object_.get());
    const Target& target = target_of(target_object_.get());
    DocumentView view(cursor, size);
    Element element, documents, token;
    std::int64_t id = 0;
    std::string_view collection;
    while (view.next(element)) {
        if (element.name == "id") id = element.integer();
        else if (element.name == "ns") collection = element.text();
        else if (element.name == "firstBatch" || element.name == "nextBatch") documents = element;
        else if (element.name == "postBatchResumeToken") token = element;
    }
    Ref list = into_ ? std::move(into_) : Ref::steal(PyList_New(0));
    if (!list) return {};
    const Py_ssize_t before = PyList_GET_SIZE(list.get());
    walk::DecodeContext context{engine.module->kinds, *target.decode};
    if (documents && !walk::decode_documents_into(context, documents.value, documents.size, list.get())) return {};
    const Py_ssize_t count = PyList_GET_SIZE(list.get()) - before;

    Ref kept = Ref::none();
    if (id != 0 && session && !session_object_) {
        auto* type = reinterpret_cast<PyTypeObject*>(names().session_type.get());
        kept = Ref::steal(type->tp_alloc(type, 0));
        if (!kept) return {};
        auto* held = new (std::nothrow) Session{engine.client, std::move(session)};
        if (held == nullptr) return Ref::steal(PyErr_NoMemory());
        reinterpret_cast<SessionObject*>(kept.get())->session = held;
    }
    const walk::Values* values = walk::load_values(engine.module->kinds);
    if (values == nullptr) return {};
    Ref cursor_id = Ref::steal(walk::new_int64(engine.module->kinds, *values, id));
    Ref token_value = token ? walk::decode_document(context, token.value, token.size) : Ref::none();
    Ref name = text(collection), address_text = text(server.address);
    if (!cursor_id || !token_value || !name || !address_text) return {};
    return Ref::steal(Py_BuildValue("(NNnNNNN)", cursor_id.release(), list.release(), count,
                                    name.release(), address_text.release(), kept.release(), token_value.release()));
}

}  // namespace barewire::bind
