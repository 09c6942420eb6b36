// barewire._core.MongoTarget and MongoSession: the methods that start or run commands; encoding is in mongo_encode.cpp.
#include <algorithm>
#include <new>
#include <utility>

#include "bind/mongo_call.h"
#include "bind/mongo_encode.h"
#include "bind/mongo_types.h"
#include "walk/bson_encode.h"

namespace barewire::bind {

using py::Ref;

namespace {

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
    const Documents documents{values[2], values[3], offset, given.at(5)};
    if (!encode_body(target, *call, values[0]) || !encode_documents(target, *call, values[0], documents)) return {};
    // A batch is cut to the message's limit; a single statement is held to the document's.
    if ((flags & shape_mask) != shape_counted && !check_size(target, *call, values[0])) return {};
    return call;
}

// (command, flags, stream, count, ids=None)
PyObject* encode_chunk(PyObject* self, PyObject* const* values, Py_ssize_t count) {
    Target& target = target_of(self);
    auto* stream_type = reinterpret_cast<PyTypeObject*>(target.engine->module->mongo->stream_type.get());
    if (count < 4 || count > 5 || !PyObject_TypeCheck(values[2], stream_type)) {
        PyErr_SetString(PyExc_TypeError, "expected command, flags, stream, count[, ids]");
        return nullptr;
    }
    int flags = 0;
    if (!read_flags(values[1], flags)) return nullptr;
    const Py_ssize_t limit = PyLong_AsSsize_t(values[3]);
    if (limit == -1 && PyErr_Occurred() != nullptr) return nullptr;
    try {
        MongoCallOwner call(new MongoCall(target.engine_object.get(), self, flags));
        const bool any = encode_chunk(target, *call, values[0], *reinterpret_cast<StreamObject*>(values[2]),
                                      static_cast<std::size_t>(std::max<Py_ssize_t>(limit, 1)), Given{values, count}.at(4));
        if (any) return new_message(*target.engine->module, std::move(call));
        if (PyErr_Occurred() != nullptr) return nullptr;
        Py_RETURN_NONE;
    } catch (const std::bad_alloc&) {
        return PyErr_NoMemory();
    }
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
    {"encode_chunk", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&encode_chunk)), METH_FASTCALL,
     "encode_chunk(command, flags, stream, count, ids=None) -> MongoMessage, or None when the stream is empty"},
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
