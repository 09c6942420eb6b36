// json and jsonb through the session's function or json.loads.
#include "walk/pg_decoder.h"

namespace barewire::walk {

using py::Ref;

PyObject* read_pg_json(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size) {
    if (type.kind == PgKind::jsonb) {
        if (size < 1 || *data != 1) return fail_pg_bytes(decoding, type);
        ++data;
        --size;
    }
    Ref bytes = Ref::steal(PyBytes_FromStringAndSize(reinterpret_cast<const char*>(data), static_cast<Py_ssize_t>(size)));
    if (!bytes) return nullptr;
    PyObject* loads = decoding.settings.json_loads ? decoding.settings.json_loads.get() : decoding.kinds.json_loads.get();
    return PyObject_CallOneArg(loads, bytes.get());
}

}  // namespace barewire::walk
