// barewire._core.MongoTarget and MongoSession: commands and their document sequences, encoded straight into an operation.
#include <algorithm>
#include <cstring>
#include <new>
#include <utility>

#include "bind/mongo_call.h"
#include "bind/mongo_types.h"
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

// --- construction ------------------------------------------------------------------------------------------------------
bool read_preference(walk::Kinds& kinds, PyObject* object, Target& target) {
    if (object == Py_None) return true;
    target.selector = Ref::share(object);
    Ref mode = Ref::steal(PyObject_GetAttrString(object, "mode"));
    if (!mode) return false;
    const long number = PyLong_AsLong(mode.get());
    if (number == -1 && PyErr_Occurred() != nullptr) return false;
    if (number == 0) return true;  // primary
    auto preference = std::make_shared<net::mongo::ReadPreference>();
    preference->mode = static_cast<net::mongo::ReadMode>(number);
    Ref sets = Ref::steal(PyObject_GetAttrString(object, "tag_sets"));
    Ref document = Ref::steal(PyObject_GetAttrString(object, "document"));
    if (!sets || !document) return false;
    Ref list = Ref::steal(PySequence_Fast(sets.get(), "tag_sets must be a sequence"));
    if (!list) return false;
    for (Py_ssize_t i = 0; i < PySequence_Fast_GET_SIZE(list.get()); ++i) {
        PyObject* set = PySequence_Fast_GET_ITEM(list.get(), i);
        Ref items = Ref::steal(PyMapping_Items(set));
        if (!items) return false;
        std::vector<std::pair<std::string, std::string>> tags;
        for (Py_ssize_t j = 0; j < PyList_GET_SIZE(items.get()); ++j) {
            PyObject* pair = PyList_GET_ITEM(items.get(), j);
            const char* name = PyUnicode_AsUTF8(PyTuple_GET_ITEM(pair, 0));
            const char* value = name != nullptr ? PyUnicode_AsUTF8(PyTuple_GET_ITEM(pair, 1)) : nullptr;
            if (value == nullptr) return false;
            tags.emplace_back(name, value);
        }
        preference->tag_sets.push_back(std::move(tags));
    }
    const std::shared_ptr<const walk::CodecOptions> options = walk::cached_codec_options(kinds, nullptr);
    if (!options) return false;
    walk::EncodeContext context{kinds, *options, preference->document};
    if (!walk::encode_document(context, document.get(), false)) return false;
    target.preference = std::move(preference);
    return true;
}

void deallocate_target(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    delete reinterpret_cast<TargetObject*>(self)->target;
    type->tp_free(self);
    Py_DECREF(type);  // reference counting: an instance of a heap type owns its type
}

int traverse_target(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE(self));
    Target* target = reinterpret_cast<TargetObject*>(self)->target;
    if (target != nullptr) Py_VISIT(target->engine_object.get());
    return 0;
}

void deallocate_session(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    Session* held = reinterpret_cast<SessionObject*>(self)->session;
    if (held != nullptr && held->session) held->client->release_session(std::move(held->session));
    delete held;
    type->tp_free(self);
    Py_DECREF(type);  // reference counting: an instance of a heap type owns its type
}

// --- encoding ----------------------------------------------------------------------------------------------------------
bool encode_body(Target& target, MongoCall& call, PyObject* command) {
    constexpr std::size_t header = net::mongo::Operation::header_size;
    if (!call.body.reserve(512)) {
        PyErr_NoMemory();
        return false;
    }
    std::memset(call.body.tail(), 0, header);
    call.body.advance(header);
    walk::EncodeContext context{target.engine->module->kinds, *target.encode, call.body};
    return walk::encode_elements(context, command);
}

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

bool check_size(Target& target, MongoCall& call, PyObject* command) {
    const std::size_t size = call.body.size() - net::mongo::Operation::header_size + call.sequence.size();
    if ((call.flags & check_mask) == check_cursor) {
        return size <= max_document || too_large(target, "insert", size, max_document);
    }
    return size <= max_document + command_overhead ||
           too_large(target, command_name(command), size, max_document + command_overhead);
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

// --- methods -----------------------------------------------------------------------------------------------------------
struct Given {
    PyObject* const* values;
    Py_ssize_t count;
    PyObject* at(Py_ssize_t i) const { return i < count && values[i] != Py_None ? values[i] : nullptr; }
};

bool read_flags(PyObject* object, int& flags) {
    flags = static_cast<int>(PyLong_AsLong(object));
    return flags != -1 || PyErr_Occurred() == nullptr;
}

// (command, flags, address=None, session=None, into=None)
MongoCallOwner make_command(PyObject* self, PyObject* const* values, Py_ssize_t count) {
    int flags = 0;
    if (count < 2 || count > 5) {
        PyErr_SetString(PyExc_TypeError, "expected command, flags[, address[, session[, into]]]");
        return {};
    }
    if (!read_flags(values[1], flags)) return {};
    Target& target = target_of(self);
    const Given given{values, count};
    MongoCallOwner call(new MongoCall(target.engine_object.get(), self, flags));
    if (!encode_body(target, *call, values[0]) || !check_size(target, *call, values[0])) return {};
    if (PyObject* address = given.at(2)) {
        Py_ssize_t size = 0;
        const char* text = PyUnicode_AsUTF8AndSize(address, &size);
        if (text == nullptr) return {};
        call->address.assign(text, static_cast<std::size_t>(size));
        call->keep_session = false;
        call->session_use = net::mongo::SessionUse::none;
    }
    if (PyObject* session = given.at(3)) {
        auto* type = reinterpret_cast<PyTypeObject*>(target.engine->module->mongo->session_type.get());
        if (!PyObject_TypeCheck(session, type)) {
            PyErr_SetString(PyExc_TypeError, "session must be a MongoSession");
            return {};
        }
        call->lend(session);
    }
    if (PyObject* into = given.at(4)) {
        if (!PyList_CheckExact(into)) {
            PyErr_SetString(PyExc_TypeError, "into must be a list");
            return {};
        }
        call->append_to(into);
    }
    return call;
}

// (command, flags, field, documents, offset=0, ids=None)
MongoCallOwner make_documents(PyObject* self, PyObject* const* values, Py_ssize_t count) {
    int flags = 0;
    if (count < 4 || count > 6 || !PyUnicode_Check(values[2])) {
        PyErr_SetString(PyExc_TypeError, "expected command, flags, field, documents[, offset[, ids]]");
        return {};
    }
    if (!read_flags(values[1], flags)) return {};
    const Given given{values, count};
    Py_ssize_t offset = 0;
    if (PyObject* start = given.at(4)) {
        offset = PyLong_AsSsize_t(start);
        if (offset == -1 && PyErr_Occurred() != nullptr) return {};
    }
    Target& target = target_of(self);
    MongoCallOwner call(new MongoCall(target.engine_object.get(), self, flags));
    Section section(call->sequence);
    if (!encode_body(target, *call, values[0]) || !section.begin(values[2])) return {};
    PyObject* ids = given.at(5);
    if (ids != nullptr ? !encode_inserts(target, *call, values[3], offset, ids)
                       : !encode_statements(target, *call, values[0], values[3], offset)) {
        return {};
    }
    section.end();
    // A batch is cut to the message's limit; a single statement is held to the document's.
    if ((flags & shape_mask) != shape_counted && !check_size(target, *call, values[0])) return {};
    return call;
}

// (command, flags, stream, count, ids=None): the next chunk of a DocumentStream; None when it is empty
MongoCallOwner make_chunk(PyObject* self, PyObject* const* values, Py_ssize_t count) {
    int flags = 0;
    Target& target = target_of(self);
    auto* stream_type = reinterpret_cast<PyTypeObject*>(target.engine->module->mongo->stream_type.get());
    if (count < 4 || count > 5 || !PyObject_TypeCheck(values[2], stream_type)) {
        PyErr_SetString(PyExc_TypeError, "expected command, flags, stream, count[, ids]");
        return {};
    }
    if (!read_flags(values[1], flags)) return {};
    auto& stream = *reinterpret_cast<StreamObject*>(values[2]);
    if (*stream.error) {
        py::restore_exception(std::move(*stream.error));
        return {};
    }
    const Py_ssize_t limit = PyLong_AsSsize_t(values[3]);
    if (limit == -1 && PyErr_Occurred() != nullptr) return {};
    MongoCallOwner call(new MongoCall(target.engine_object.get(), self, flags));
    Section section(call->sequence);
    Ref field = Ref::steal(PyUnicode_InternFromString("documents"));
    if (!field || !encode_body(target, *call, values[0]) || !section.begin(field.get())) return {};
    walk::EncodeContext context{target.engine->module->kinds, *target.encode, call->sequence};
    walk::InsertContext insert{context, false, Given{values, count}.at(4)};
    const walk::InsertLimits limits{std::min(static_cast<std::size_t>(std::max<Py_ssize_t>(limit, 1)), max_batch),
                                    room_left(*call), max_document};
    const walk::InsertBatch batch = walk::encode_insert_batch(insert, *stream.source, limits);
    call->documents_sent = batch.documents;
    if (batch.documents == 0) {
        if (batch.stop == walk::InsertStop::too_large) too_large(target, "insert", batch.too_large_size, max_document);
        return {};
    }
    // The documents before the one that failed are sent first; the next call tells.
    if (batch.stop == walk::InsertStop::failed) *stream.error = py::take_exception();
    section.end();
    return call;
}

template <auto make, auto go>
PyObject* method(PyObject* self, PyObject* const* values, Py_ssize_t count) {
    try {
        MongoCallOwner call = make(self, values, count);
        if (!call) {
            if (PyErr_Occurred() != nullptr) return nullptr;
            Py_RETURN_NONE;
        }
        return (call.get()->*go)();
    } catch (const std::bad_alloc&) {
        return PyErr_NoMemory();
    }
}

template <auto make, auto go>
constexpr PyCFunction function() {
    return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&method<make, go>));
}

PyMethodDef methods[] = {
    {"start", function<&make_command, &MongoCall::start>(), METH_FASTCALL,
     "start(command, flags, address=None, session=None, into=None) -> Future in the running event loop"},
    {"run", function<&make_command, &MongoCall::run>(), METH_FASTCALL, "The blocking twin of start: the value itself."},
    {"start_documents", function<&make_documents, &MongoCall::start>(), METH_FASTCALL,
     "start_documents(command, flags, field, documents, offset=0, ids=None) -> Future; the documents from `offset` on "
     "travel as a document sequence, as many as fit. With the list `ids` they are inserts and get their _id."},
    {"run_documents", function<&make_documents, &MongoCall::run>(), METH_FASTCALL, "The blocking twin of start_documents."},
    {"start_chunk", function<&make_chunk, &MongoCall::start>(), METH_FASTCALL,
     "start_chunk(command, flags, stream, count, ids=None) -> Future, or None when the stream is empty"},
    {"run_chunk", function<&make_chunk, &MongoCall::run>(), METH_FASTCALL, "The blocking twin of start_chunk."},
    {nullptr, nullptr, 0, nullptr},
};

PyType_Slot target_slots[] = {
    {Py_tp_doc, const_cast<char*>("A database with codec options and a read preference, resolved once.")},
    {Py_tp_dealloc, reinterpret_cast<void*>(&deallocate_target)},
    {Py_tp_traverse, reinterpret_cast<void*>(&traverse_target)},
    {Py_tp_methods, methods},
    {0, nullptr},
};
PyType_Spec target_spec = {"barewire._core.MongoTarget", sizeof(TargetObject), 0,
                           Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION, target_slots};

PyType_Slot session_slots[] = {
    {Py_tp_doc, const_cast<char*>("A server session held by a cursor; given back when dropped.")},
    {Py_tp_dealloc, reinterpret_cast<void*>(&deallocate_session)},
    {0, nullptr},
};
PyType_Spec session_spec = {"barewire._core.MongoSession", sizeof(SessionObject), 0,
                            Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, session_slots};

constexpr std::pair<const char*, int> constants[] = {
    {"SHAPE_MASK", shape_mask},         {"SHAPE_NOTHING", shape_nothing},   {"SHAPE_DOCUMENT", shape_document},
    {"SHAPE_FIRST", shape_first},       {"SHAPE_BATCH", shape_batch},       {"SHAPE_COUNTED", shape_counted},
    {"SHAPE_MESSAGE", shape_message},   {"CHECK_MASK", check_mask},         {"CHECK_NOTHING", check_nothing},
    {"CHECK_COMMAND", check_command},   {"CHECK_CONCERN", check_concern},   {"CHECK_WRITE", check_write},
    {"CHECK_CURSOR", check_cursor},     {"CHECK_MISSING_ALLOWED", check_missing_allowed},
    {"RETRY_MASK", retry_mask},         {"RETRY_READ", retry_read},         {"RETRY_WRITE", retry_write},
};

}  // namespace

PyObject* new_target(PyObject* engine_object, PyObject* database, PyObject* encode, PyObject* decode, PyObject* preference) {
    try {
        Engine& engine = engine_of(engine_object);
        auto target = std::make_unique<Target>();
        target->engine_object = Ref::share(engine_object);
        target->engine = &engine;
        Py_ssize_t size = 0;
        const char* name = PyUnicode_AsUTF8AndSize(database, &size);
        if (name == nullptr) return nullptr;
        target->database.assign(name, static_cast<std::size_t>(size));
        walk::Kinds& kinds = engine.module->kinds;
        target->encode = walk::cached_codec_options(kinds, encode);
        if (!target->encode) return nullptr;
        target->decode = encode == decode ? target->encode : walk::cached_codec_options(kinds, decode);
        if (!target->decode || !read_preference(kinds, preference, *target)) return nullptr;
        auto* type = reinterpret_cast<PyTypeObject*>(engine.module->mongo->target_type.get());
        Ref self = Ref::steal(type->tp_alloc(type, 0));
        if (self) reinterpret_cast<TargetObject*>(self.get())->target = target.release();
        return self.release();
    } catch (const std::bad_alloc&) {
        return PyErr_NoMemory();
    }
}

bool add_mongo_target(PyObject* module, ModuleState& state) {
    if (!add_type(module, target_spec, state.mongo->target_type)) return false;
    if (!add_type(module, session_spec, state.mongo->session_type)) return false;
    for (const auto& [name, value] : constants) {
        if (PyModule_AddIntConstant(module, name, value) < 0) return false;
    }
    return true;
}

}  // namespace barewire::bind
