// Fields in text format, for results that hold a type without a binary form: by psycopg's own text loaders.
#include "walk/pg_decode.h"

#include "py/text_build.h"
#include "walk/pg_decoder.h"

namespace barewire::walk {

using py::Ref;

Ref pg_decode_text(PgDecoding& decoding, const PgType& type, const std::uint8_t* data, std::size_t size) {
    // What psycopg has no loader for is text as well.
    if (type.kind == PgKind::text || type.kind == PgKind::byte_char || type.kind == PgKind::opaque) {
        return Ref::steal(read_pg_text(decoding, data, size));
    }
    const PgKinds& kinds = decoding.kinds;
    Ref bytes = Ref::steal(PyBytes_FromStringAndSize(reinterpret_cast<const char*>(data), static_cast<Py_ssize_t>(size)));
    Ref oid = Ref::steal(PyLong_FromUnsignedLong(type.oid)), text_format = Ref::steal(PyLong_FromLong(0));
    if (!bytes || !oid || !text_format) return {};
    PyObject* arguments[] = {kinds.transformer.get(), oid.get(), text_format.get()};
    Ref loader = Ref::steal(PyObject_VectorcallMethod(kinds.get_loader.get(), arguments, 3, nullptr));
    return loader ? Ref::steal(PyObject_CallMethodOneArg(loader.get(), kinds.load.get(), bytes.get())) : Ref();
}

}  // namespace barewire::walk
