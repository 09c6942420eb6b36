// Allocation of ObjectId instances and the write of their only slot.
#include "walk/object_id.h"

#include <utility>

#include "wire/bson/oid.h"

namespace barewire::walk {

py::Ref make_object_id(const Kinds& kinds, const std::uint8_t* bytes) {
    py::Ref content = py::Ref::steal(PyBytes_FromStringAndSize(reinterpret_cast<const char*>(bytes), 12));
    if (!content) return {};
    auto* type = reinterpret_cast<PyTypeObject*>(kinds.object_id.get());
    if (BAREWIRE_UNLIKELY(kinds.object_id_value < 0)) {
        return py::Ref::steal(PyObject_CallOneArg(kinds.object_id.get(), content.get()));
    }
    py::Ref id = py::Ref::steal(type->tp_alloc(type, 0));
    if (!id) return {};
    fill_slot(id.get(), kinds.object_id_value, std::move(content));
    // It holds only bytes, so it can be part of no cycle and the collector need not visit it.
    if (PyType_IS_GC(type)) PyObject_GC_UnTrack(id.get());
    return id;
}

py::Ref new_object_id_bytes() {
    namespace bson = wire::bson;
    py::Ref bytes = py::Ref::steal(PyBytes_FromStringAndSize(nullptr, bson::object_id_size));
    if (bytes) bson::ObjectIdGenerator::instance().next(reinterpret_cast<std::uint8_t*>(PyBytes_AS_STRING(bytes.get())));
    return bytes;
}

}  // namespace barewire::walk
