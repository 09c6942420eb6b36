// PgCodec.encode_rows, encode_columns and decode_rows.
#include "bind/pg_codec_rows.h"

#include <limits>
#include <new>
#include <string_view>
#include <utility>
#include <vector>

#include "bind/arena.h"
#include "py/guard.h"
#include "walk/bson_insert.h"
#include "walk/pg_copy_rows.h"

namespace barewire::bind {

using py::Ref;

namespace {

constexpr std::size_t no_limit = std::numeric_limits<std::size_t>::max();

// Types and names of columns from two sequences of the same length.
bool read_columns(PgCodec& codec, PyObject* oids, PyObject* names, std::vector<walk::PgColumn>& columns) {
    Ref oid_list = Ref::steal(PySequence_List(oids)), name_list = Ref::steal(PySequence_List(names));
    if (!oid_list || !name_list) return false;
    const Py_ssize_t count = PyList_GET_SIZE(oid_list.get());
    if (count != PyList_GET_SIZE(name_list.get())) {
        PyErr_SetString(PyExc_ValueError, "as many names as oids are needed");
        return false;
    }
    for (Py_ssize_t i = 0; i < count; ++i) {
        const unsigned long oid = PyLong_AsUnsignedLong(PyList_GET_ITEM(oid_list.get(), i));
        if (oid == static_cast<unsigned long>(-1) && PyErr_Occurred()) return false;
        PyObject* name = PyList_GET_ITEM(name_list.get(), i);
        if (!PyUnicode_Check(name)) {
            PyErr_SetString(PyExc_TypeError, "names of columns are str");
            return false;
        }
        PyObject* interned = Ref::share(name).release();
        PyUnicode_InternInPlace(&interned);
        walk::PgColumn column;
        column.name = Ref::steal(interned);
        column.type = &codec.types.get(static_cast<std::uint32_t>(oid));
        columns.push_back(std::move(column));
    }
    return true;
}

PyObject* as_bytes(const base::Buffer& buffer) {
    return PyBytes_FromStringAndSize(reinterpret_cast<const char*>(buffer.data()), static_cast<Py_ssize_t>(buffer.size()));
}

}  // namespace

PyObject* pg_encode_rows(PyObject* self, PyObject* arguments) {
    PyObject *oids = nullptr, *names = nullptr, *rows = nullptr;
    if (!PyArg_ParseTuple(arguments, "OOO:encode_rows", &oids, &names, &rows)) return nullptr;
    try {
        PgCodec& codec = pg_codec_of_self(self);
        std::vector<walk::PgColumn> columns;
        walk::DocumentSource source;
        if (!read_columns(codec, oids, names, columns) || !source.open(rows)) return nullptr;
        walk::PgRowWriter writer(std::move(columns), false);
        walk::PgEncoding encoding = codec.encoding();
        Arena arena;
        base::Buffer& out = arena.buffer();
        if (!walk::PgRowWriter::append_header(out)) return PyErr_NoMemory();
        if (writer.append_rows(encoding, source, out, no_limit) == walk::PgRowsStop::failed) return nullptr;
        if (!walk::PgRowWriter::append_trailer(out)) return PyErr_NoMemory();
        return as_bytes(out);
    } catch (const std::bad_alloc&) {
        return PyErr_NoMemory();
    }
}

PyObject* pg_encode_columns(PyObject* self, PyObject* arguments) {
    PyObject *oids = nullptr, *names = nullptr, *rows = nullptr;
    if (!PyArg_ParseTuple(arguments, "OOO:encode_columns", &oids, &names, &rows)) return nullptr;
    try {
        PgCodec& codec = pg_codec_of_self(self);
        std::vector<walk::PgColumn> columns;
        walk::DocumentSource source;
        if (!read_columns(codec, oids, names, columns) || !source.open(rows)) return nullptr;
        const std::size_t count = columns.size();
        walk::PgColumnWriter writer(std::move(columns), false);
        walk::PgEncoding encoding = codec.encoding();
        if (writer.append_rows(encoding, source, no_limit, no_limit) == walk::PgRowsStop::failed) return nullptr;
        writer.finish();
        Ref list = Ref::steal(PyList_New(static_cast<Py_ssize_t>(count)));
        if (!list) return nullptr;
        for (std::size_t i = 0; i < count; ++i) {
            PyObject* bytes = as_bytes(writer.array(i));
            if (bytes == nullptr) return nullptr;
            PyList_SET_ITEM(list.get(), static_cast<Py_ssize_t>(i), bytes);
        }
        return list.release();
    } catch (const std::bad_alloc&) {
        return PyErr_NoMemory();
    }
}

PyObject* pg_decode_rows(PyObject* self, PyObject* arguments) {
    PyObject *oids = nullptr, *names = nullptr, *data = nullptr;
    const char* shape_name = "tuples";
    if (!PyArg_ParseTuple(arguments, "OOO|s:decode_rows", &oids, &names, &data, &shape_name)) return nullptr;
    try {
        PgCodec& codec = pg_codec_of_self(self);
        const std::string_view wanted = shape_name;
        constexpr std::pair<std::string_view, walk::PgShape> shapes[] = {{"tuples", walk::PgShape::tuples},
                                                                         {"dicts", walk::PgShape::dicts},
                                                                         {"records", walk::PgShape::records},
                                                                         {"first", walk::PgShape::first}};
        const walk::PgShape* shape = nullptr;
        for (const auto& [name, value] : shapes) {
            if (name == wanted) shape = &value;
        }
        if (shape == nullptr) {
            PyErr_SetString(PyExc_ValueError, "shape must be tuples, dicts, records or first");
            return nullptr;
        }
        std::vector<walk::PgColumn> columns;
        if (!read_columns(codec, oids, names, columns)) return nullptr;
        std::vector<walk::PgRowPlan::Column> planned;
        std::vector<Ref> column_names;
        for (walk::PgColumn& column : columns) {
            planned.push_back({column.type, false});
            column_names.push_back(std::move(column.name));
        }
        walk::PgRowPlan plan;
        if (!plan.prepare(codec.module->pg_kinds, std::move(planned), std::move(column_names))) return nullptr;
        py::BufferView view;
        if (!view.acquire(data)) return nullptr;
        Ref list = Ref::steal(PyList_New(0));
        walk::PgCopyDecoder decoder;
        walk::PgDecoding decoding = codec.decoding();
        if (!list || !decoder.append_rows(decoding, plan, *shape, view.data(), static_cast<std::size_t>(view.size()), list.get())) {
            return nullptr;
        }
        if (!decoder.ended()) {
            PyErr_SetString(codec.module->pg_kinds.data_error.get(), "the COPY BINARY stream has no end");
            return nullptr;
        }
        return list.release();
    } catch (const std::bad_alloc&) {
        return PyErr_NoMemory();
    }
}

}  // namespace barewire::bind
