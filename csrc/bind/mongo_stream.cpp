// barewire._core.DocumentStream: where documents to insert come from, chunk by chunk. Nothing is sent from here.
#include <new>

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

}  // namespace

bool add_mongo_stream(PyObject* module, ModuleState& state) {
    return add_type(module, spec, state.mongo->stream_type);
}

}  // namespace barewire::bind
