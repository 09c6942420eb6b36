// barewire._core.DocumentStream and MongoMessage: documents taken chunk by chunk, and a chunk that waits to be sent.
#include <new>
#include <utility>

#include "bind/mongo_call.h"
#include "bind/mongo_types.h"

namespace barewire::bind {

using py::Ref;

namespace {

PyObject* make(PyTypeObject* type, PyObject* arguments, PyObject*) {
    PyObject* documents = nullptr;
    if (!PyArg_ParseTuple(arguments, "O:DocumentStream", &documents)) return nullptr;
    Ref self = Ref::steal(type->tp_alloc(type, 0));
    if (!self) return nullptr;
    auto* stream = reinterpret_cast<StreamObject*>(self.get());
    stream->source = new (std::nothrow) walk::DocumentSource();
    stream->error = new (std::nothrow) Ref();
    if (stream->source == nullptr || stream->error == nullptr) return PyErr_NoMemory();
    if (!stream->source->open(documents)) return nullptr;
    return self.release();
}

void deallocate(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    delete reinterpret_cast<StreamObject*>(self)->source;
    delete reinterpret_cast<StreamObject*>(self)->error;
    type->tp_free(self);
    Py_DECREF(type);  // reference counting: an instance of a heap type owns its type
}

PyObject* get_taken(PyObject* self, void*) {
    return PyLong_FromSize_t(reinterpret_cast<StreamObject*>(self)->source->taken());
}

PyGetSetDef attributes[] = {
    {"taken", get_taken, nullptr, "How many documents were taken: the position of the next one.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyType_Slot type_slots[] = {
    {Py_tp_doc, const_cast<char*>("DocumentStream(documents): any iterable of documents, taken chunk by chunk.")},
    {Py_tp_new, reinterpret_cast<void*>(&make)},
    {Py_tp_dealloc, reinterpret_cast<void*>(&deallocate)},
    {Py_tp_getset, attributes},
    {0, nullptr},
};

PyType_Spec spec = {"barewire._core.DocumentStream", sizeof(StreamObject), 0, Py_TPFLAGS_DEFAULT, type_slots};

// --- MongoMessage ------------------------------------------------------------------------------------------------------
struct MessageObject {
    PyObject_HEAD
    MongoCall* call;  // nullptr once it was sent
    Py_ssize_t count;
};

void deallocate_message(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    if (MongoCall* call = reinterpret_cast<MessageObject*>(self)->call) call->release();
    type->tp_free(self);
    Py_DECREF(type);  // reference counting: an instance of a heap type owns its type
}

template <auto go>
PyObject* send(PyObject* self, PyObject*) {
    MongoCallOwner call(std::exchange(reinterpret_cast<MessageObject*>(self)->call, nullptr));
    if (!call) {
        PyErr_SetString(PyExc_RuntimeError, "the message was sent already");
        return nullptr;
    }
    try {
        return (call.get()->*go)();
    } catch (const std::bad_alloc&) {
        return PyErr_NoMemory();
    }
}

PyObject* get_count(PyObject* self, void*) { return PyLong_FromSsize_t(reinterpret_cast<MessageObject*>(self)->count); }

PyMethodDef message_methods[] = {
    {"start", send<&MongoCall::start>, METH_NOARGS, "start() -> Future in the running event loop"},
    {"run", send<&MongoCall::run>, METH_NOARGS, "The blocking twin of start: the value itself."},
    {nullptr, nullptr, 0, nullptr},
};

PyGetSetDef message_attributes[] = {
    {"count", get_count, nullptr, "How many documents it holds.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyType_Slot message_slots[] = {
    {Py_tp_doc, const_cast<char*>("An encoded message; start() or run() sends it, once.")},
    {Py_tp_dealloc, reinterpret_cast<void*>(&deallocate_message)},
    {Py_tp_methods, message_methods},
    {Py_tp_getset, message_attributes},
    {0, nullptr},
};

PyType_Spec message_spec = {"barewire._core.MongoMessage", sizeof(MessageObject), 0,
                            Py_TPFLAGS_DEFAULT | Py_TPFLAGS_DISALLOW_INSTANTIATION, message_slots};

}  // namespace

PyObject* new_message(ModuleState& state, MongoCallOwner call) {
    auto* type = reinterpret_cast<PyTypeObject*>(state.mongo->message_type.get());
    Ref self = Ref::steal(type->tp_alloc(type, 0));
    if (!self) return nullptr;
    auto* message = reinterpret_cast<MessageObject*>(self.get());
    message->count = static_cast<Py_ssize_t>(call->documents_sent);
    message->call = call.release();
    return self.release();
}

bool add_mongo_stream(PyObject* module, ModuleState& state) {
    return add_type(module, spec, state.mongo->stream_type) && add_type(module, message_spec, state.mongo->message_type);
}

}  // namespace barewire::bind
