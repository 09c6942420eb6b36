// How requests are encoded and held to the server's limits; see mongo_encode.h.
#include "bind/mongo_encode.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <utility>

#include "base/bytes.h"
#include "py/compat.h"
#include "walk/bson_encode.h"
#include "walk/bson_insert.h"

namespace barewire::bind {

using py::Ref;

namespace {

// Limits of every server since 3.6; the engine learns a server's own only when one is chosen, after the encoding.
constexpr std::size_t max_document = 16 * 1024 * 1024;
constexpr std::size_t max_message = 48'000'000;
constexpr std::size_t max_batch = 100'000;
// What PyMongo allows a command beyond a document, and room for what the engine appends (lsid, $clusterTime, ...).
constexpr std::size_t command_overhead = 16382;
constexpr std::size_t appended_room = 1000;

// Raises DocumentTooLarge with PyMongo's text for `name`; always false.
bool too_large(Target& target, const char* name, std::size_t size, std::size_t limit) {
    Ref error = Ref::steal(PyObject_CallMethod(target.engine->errors.get(), "too_large", "snn", name,
                                               static_cast<Py_ssize_t>(size), static_cast<Py_ssize_t>(limit)));
    if (error) PyErr_SetObject(reinterpret_cast<PyObject*>(error.type()), error.get());
    return false;
}

// The first key of a command, "" if there is none.
const char* command_name(PyObject* command) {
    Py_ssize_t position = 0;
    PyObject *key = nullptr, *value = nullptr;
    if (!PyDict_Check(command) || !PyDict_Next(command, &position, &key, &value) || !PyUnicode_Check(key)) return "";
    const char* name = PyUnicode_AsUTF8(key);
    if (name == nullptr) PyErr_Clear();
    return name != nullptr ? name : "";
}

// What the engine is going to append, as PyMongo counts it: lsid, txnNumber, $clusterTime, $db.
std::size_t appended_size(const Target& target, const MongoCall& call) {
    std::size_t size = sizeof("\x02$db") + 4 + target.database.size() + 1;
    const std::size_t time = target.engine->client ? target.engine->client->cluster_time().size() : 0;
    if (time == 0) return size;  // a server without sessions
    size += sizeof("\x03$clusterTime") + time + sizeof("\x03lsid") + 30;
    if ((call.flags & retry_mask) == retry_write) size += sizeof("\x12txnNumber") + 8;
    return size;
}

// A kind-1 section that is being written into `sequence`.
class Section {
public:
    explicit Section(base::Buffer& sequence) : sequence_(sequence) {}
    bool begin(PyObject* field) {
        Py_ssize_t size = 0;
        const char* name = PyUnicode_AsUTF8AndSize(field, &size);
        if (name == nullptr) return false;
        if (sequence_.append("\x01\0\0\0\0", 5) && sequence_.append(name, static_cast<std::size_t>(size) + 1)) return true;
        PyErr_NoMemory();
        return false;
    }
    void end() {
        base::store_little(sequence_.data() + 1, static_cast<std::int32_t>(sequence_.size() - 1));
    }

private:
    base::Buffer& sequence_;
};

// How many bytes of documents the message may still hold.
std::size_t room_left(const MongoCall& call) {
    const std::size_t used = call.body.size() + call.sequence.size() + appended_room;
    return used < max_message ? max_message - used : 0;
}

// Statements of updates and deletes, or documents that have their ids: from `offset` on, as many as fit.
bool encode_statements(Target& target, MongoCall& call, PyObject* command, PyObject* documents, Py_ssize_t offset) {
    walk::EncodeContext context{target.engine->module->kinds, *target.encode, call.sequence};
    const std::size_t limit = call.sequence.size() + room_left(call);
    Ref held = Ref::steal(PySequence_Fast(documents, "documents must be a list or a tuple"));
    if (!held) return false;
    for (Py_ssize_t i = offset; i < PySequence_Fast_GET_SIZE(held.get()) && call.documents_sent < max_batch; ++i) {
        const std::size_t before = call.sequence.size();
        Ref document = Ref::share(PySequence_Fast_GET_ITEM(held.get(), i));
        if (!walk::encode_document(context, document.get(), true)) return false;
        if (call.sequence.size() > limit) {
            const std::size_t size = call.sequence.size() - before;
            if (call.documents_sent == 0) return too_large(target, command_name(command), size, max_document);
            call.sequence.truncate(before);
            break;
        }
        ++call.documents_sent;
    }
    return true;
}

// Gives the documents from `from` on their ids (and refuses what is no document) before any batch is sent.
bool prepare_rest(Target& target, PyObject* documents, std::size_t from) {
    Ref prepare = Ref::steal(PyObject_GetAttrString(target.engine->errors.get(), "prepare_document"));
    if (!prepare) return false;
    for (Py_ssize_t i = static_cast<Py_ssize_t>(from); i < PySequence_Size(documents); ++i) {
        Ref document = Ref::steal(PySequence_GetItem(documents, i));
        if (!document) return false;
        Ref done = Ref::steal(PyObject_CallOneArg(prepare.get(), document.get()));
        if (!done) return false;
    }
    return true;
}

// Documents of insert_one and insert_many: ids are made on the way, as PyMongo does before it sends anything.
bool encode_inserts(Target& target, MongoCall& call, PyObject* documents, Py_ssize_t offset, PyObject* ids) {
    walk::EncodeContext context{target.engine->module->kinds, *target.encode, call.sequence};
    walk::InsertContext insert{context, true, ids};
    walk::DocumentSource source;
    if (!source.open(documents)) return false;
    for (Py_ssize_t i = 0; i < offset; ++i) source.consume();
    const walk::InsertLimits limits{max_batch, room_left(call), SIZE_MAX};
    const walk::InsertBatch batch = walk::encode_insert_batch(insert, source, limits);
    call.documents_sent = batch.documents;
    if (offset == 0 && batch.stop != walk::InsertStop::exhausted && !source.known_empty()) {
        Ref pending = py::take_exception();
        // A document of the wrong type counts more than one that cannot be encoded: PyMongo looks at all types first.
        if (!prepare_rest(target, documents, source.taken())) return false;
        py::restore_exception(std::move(pending));
    }
    if (batch.stop == walk::InsertStop::failed) return false;
    if (batch.stop == walk::InsertStop::too_large && batch.documents == 0) {
        return too_large(target, "insert", batch.too_large_size, max_document);
    }
    return true;
}

}  // namespace

bool encode_body(Target& target, MongoCall& call, PyObject* command) {
    // The document's own length stands where the operation's header ends.
    constexpr std::size_t before_document = net::mongo::Operation::header_size - 4;
    if (!call.body.reserve(512)) {
        PyErr_NoMemory();
        return false;
    }
    std::memset(call.body.tail(), 0, before_document);
    call.body.advance(before_document);
    walk::EncodeContext context{target.engine->module->kinds, *target.encode, call.body};
    if (!walk::encode_document(context, command, true)) return false;
    call.body.truncate(call.body.size() - 1);  // the engine goes on behind the last element
    return true;
}

bool check_size(Target& target, MongoCall& call, PyObject* command) {
    const bool cursor = (call.flags & check_mask) == check_cursor;
    const std::size_t limit = cursor ? max_document : max_document + command_overhead;
    std::size_t size = call.body.size() - net::mongo::Operation::header_size + 5;
    if (!call.sequence.empty()) size += call.sequence.size() - 1;
    if (BAREWIRE_LIKELY(size + appended_room <= limit)) return true;
    size += appended_size(target, call);
    return size <= limit || too_large(target, cursor ? "insert" : command_name(command), size, limit);
}

bool encode_documents(Target& target, MongoCall& call, PyObject* command, const Documents& documents) {
    Section section(call.sequence);
    if (!section.begin(documents.field)) return false;
    if (documents.ids != nullptr ? !encode_inserts(target, call, documents.sequence, documents.offset, documents.ids)
                                 : !encode_statements(target, call, command, documents.sequence, documents.offset)) {
        return false;
    }
    section.end();
    return true;
}

bool encode_chunk(Target& target, MongoCall& call, PyObject* command, StreamObject& stream, std::size_t count,
                  PyObject* ids) {
    if (*stream.error) {
        py::restore_exception(std::move(*stream.error));
        return false;
    }
    Section section(call.sequence);
    Ref field = Ref::steal(PyUnicode_InternFromString("documents"));
    if (!field || !encode_body(target, call, command) || !section.begin(field.get())) return false;
    walk::EncodeContext context{target.engine->module->kinds, *target.encode, call.sequence};
    walk::InsertContext insert{context, false, ids};
    const walk::InsertLimits limits{std::min(count, max_batch), room_left(call), max_document};
    const walk::InsertBatch batch = walk::encode_insert_batch(insert, *stream.source, limits);
    call.documents_sent = batch.documents;
    if (batch.documents == 0) {
        return batch.stop == walk::InsertStop::too_large &&
               too_large(target, "insert", batch.too_large_size, max_document);
    }
    // The documents before the one that failed are sent first; the next call tells.
    if (batch.stop == walk::InsertStop::failed) *stream.error = py::take_exception();
    section.end();
    return true;
}

}  // namespace barewire::bind
