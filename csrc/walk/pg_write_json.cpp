// json and jsonb: text as it is; our own writer where json.dumps is asked for, else the session's function.
#include "py/guard.h"
#include "walk/json_write.h"
#include "walk/pg_encoder.h"

namespace barewire::walk {

namespace pg = wire::pg;
using py::Ref;

namespace {

// What a dumps function returned, or text that the caller gave.
bool append_document(PgEncoder& encoder, const PgType& type, PyObject* document) {
    if (PyUnicode_Check(document)) return write_pg_str(encoder, type, document);
    if (!PyBytes_Check(document) && !PyByteArray_Check(document)) {
        return fail_pg_type(encoder, type, document, "str or bytes from the dumps function");
    }
    py::BufferView view;
    if (!view.acquire(document)) return false;
    const auto size = static_cast<std::size_t>(view.size());
    if (!encoder.reserve(size)) return false;
    encoder.advance_to(pg::put_bytes(encoder.tail(), view.data(), size));
    return true;
}

}  // namespace

bool write_pg_json(PgEncoder& encoder, const PgType& type, PyObject* value) {
    const PgKinds& kinds = encoder.kinds;
    if (type.kind == PgKind::jsonb) {
        if (!encoder.reserve(1)) return false;
        encoder.advance_to(pg::put(encoder.tail(), std::uint8_t{1}));
    }
    if (PyUnicode_Check(value) || PyBytes_Check(value)) return append_document(encoder, type, value);
    Ref object = Ref::share(value), dumps;
    if (PyObject_TypeCheck(value, reinterpret_cast<PyTypeObject*>(kinds.json.get())) ||
        PyObject_TypeCheck(value, reinterpret_cast<PyTypeObject*>(kinds.jsonb.get()))) {
        // psycopg's wrappers may bring a function of their own.
        ++encoder.user_code;
        dumps = Ref::steal(PyObject_GetAttr(value, kinds.dumps.get()));
        object = Ref::steal(PyObject_GetAttr(value, kinds.obj.get()));
        if (!dumps || !object) return false;
        if (dumps.get() == Py_None) dumps.reset();
    }
    if (!dumps && encoder.settings.json_dumps) dumps = encoder.settings.json_dumps.copy();
    if (BAREWIRE_LIKELY(!dumps || dumps.get() == kinds.json_dumps.get())) {
        const JsonWritten outcome = write_json(encoder, object.get());
        if (BAREWIRE_LIKELY(outcome != JsonWritten::unusual)) return outcome == JsonWritten::written;
        dumps = kinds.json_dumps.copy();
    }
    ++encoder.user_code;
    Ref document = Ref::steal(PyObject_CallOneArg(dumps.get(), object.get()));
    return document && append_document(encoder, type, document.get());
}

}  // namespace barewire::walk
