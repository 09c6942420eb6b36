// Methods of PgCodec: catalogue rows in, single values both ways, settings as attributes.
#include "bind/pg_codec_api.h"

#include <new>
#include <utility>

#include "bind/arena.h"
#include "bind/mongo_types.h"
#include "bind/pg_codec_rows.h"
#include "py/guard.h"
#include "py/internals/clock.h"
#include "walk/pg_record.h"

namespace barewire::bind {

using py::Ref;

namespace {

struct CodecObject {
    PyObject_HEAD
    PgCodec* codec;
};

PgCodec& codec_of(PyObject* self) noexcept { return *reinterpret_cast<CodecObject*>(self)->codec; }

PyObject* create(PyTypeObject* type, PyObject* arguments, PyObject* keywords) {
    static const char* names[] = {nullptr};
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, ":PgCodec", const_cast<char**>(names))) return nullptr;
    ModuleState& state = state_of_type(type);
    if (!state.pg_kinds.resolve()) return nullptr;
    Ref self = Ref::steal(type->tp_alloc(type, 0));
    if (!self) return nullptr;
    auto* codec = new (std::nothrow) PgCodec();
    if (codec == nullptr) return PyErr_NoMemory();
    codec->module = &state;
    reinterpret_cast<CodecObject*>(self.get())->codec = codec;
    return self.release();
}

void deallocate(PyObject* self) {
    PyObject_GC_UnTrack(self);
    Ref type = Ref::steal(reinterpret_cast<PyObject*>(Py_TYPE(self)));
    delete reinterpret_cast<CodecObject*>(self)->codec;
    reinterpret_cast<PyTypeObject*>(type.get())->tp_free(self);
}

int traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE(self));
    const PgCodec* codec = reinterpret_cast<CodecObject*>(self)->codec;
    if (codec == nullptr) return 0;
    Py_VISIT(codec->settings.timezone.get());
    Py_VISIT(codec->settings.json_loads.get());
    Py_VISIT(codec->settings.json_dumps.get());
    return 0;
}

int clear(PyObject* self) {
    PgCodec* codec = reinterpret_cast<CodecObject*>(self)->codec;
    if (codec == nullptr) return 0;
    codec->settings.timezone.reset();
    codec->settings.json_loads.reset();
    codec->settings.json_dumps.reset();
    return 0;
}

PyObject* encode(PyObject* self, PyObject* const* arguments, Py_ssize_t given) {
    if (given != 2) {
        PyErr_Format(PyExc_TypeError, "encode() takes 2 arguments (%zd given)", given);
        return nullptr;
    }
    const unsigned long oid = PyLong_AsUnsignedLong(arguments[0]);
    if (oid == static_cast<unsigned long>(-1) && PyErr_Occurred()) return nullptr;
    if (arguments[1] == Py_None) return Ref::none().release();
    try {
        PgCodec& codec = codec_of(self);
        walk::PgEncoding encoding = codec.encoding();
        Arena arena;
        base::Buffer& out = arena.buffer();
        if (!walk::pg_encode(encoding, codec.types.get(static_cast<std::uint32_t>(oid)), arguments[1], out)) return nullptr;
        return PyBytes_FromStringAndSize(reinterpret_cast<const char*>(out.data()), static_cast<Py_ssize_t>(out.size()));
    } catch (const std::bad_alloc&) {
        return PyErr_NoMemory();
    }
}

PyObject* decode(PyObject* self, PyObject* arguments) {
    unsigned int oid = 0;
    PyObject* data = nullptr;
    int text = 0;
    if (!PyArg_ParseTuple(arguments, "IO|p:decode", &oid, &data, &text)) return nullptr;
    if (data == Py_None) return Ref::none().release();
    try {
        PgCodec& codec = codec_of(self);
        walk::PgDecoding decoding = codec.decoding();
        py::BufferView view;
        if (!view.acquire(data)) return nullptr;
        const auto size = static_cast<std::size_t>(view.size());
        const walk::PgType& type = codec.types.get(oid);
        return (text ? walk::pg_decode_text(decoding, type, view.data(), size)
                     : walk::pg_decode(decoding, type, view.data(), size))
            .release();
    } catch (const std::bad_alloc&) {
        return PyErr_NoMemory();
    }
}

bool read_columns(PyObject* columns, walk::PgTypeRow& row) {
    if (columns == Py_None) return true;
    Ref list = Ref::steal(PySequence_List(columns));
    if (!list) return false;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(list.get()); ++i) {
        PyObject* name = nullptr;
        unsigned int oid = 0;
        PyObject* pair = PyList_GET_ITEM(list.get(), i);
        if (!PyTuple_Check(pair)) {
            PyErr_SetString(PyExc_TypeError, "a column of a composite is a tuple of name and oid");
            return false;
        }
        if (!PyArg_ParseTuple(pair, "UI;a column of a composite is a tuple of name and oid", &name, &oid)) return false;
        row.field_names.push_back(Ref::share(name));
        row.field_oids.push_back(oid);
    }
    return true;
}

// A dict label -> value, turned around for encoding too.
bool read_labels(PyObject* members, walk::PgTypeRow& row) {
    if (members == Py_None) return true;
    if (!PyDict_Check(members)) {
        PyErr_SetString(PyExc_TypeError, "labels of an enumeration are a dict of label and value");
        return false;
    }
    row.members = Ref::steal(PyDict_Copy(members));
    row.labels = Ref::steal(PyDict_New());
    if (!row.members || !row.labels) return false;
    Py_ssize_t position = 0;
    PyObject *label = nullptr, *value = nullptr;
    while (PyDict_Next(row.members.get(), &position, &label, &value)) {
        if (PyDict_SetItem(row.labels.get(), value, label) < 0) return false;
    }
    return true;
}

bool read_row(PyObject* item, walk::PgTypeRow& row) {
    if (!PyTuple_Check(item)) {
        PyErr_SetString(PyExc_TypeError, "a type is described by a tuple");
        return false;
    }
    unsigned int oid = 0, element = 0;
    const char *name = nullptr, *variety = nullptr;
    Py_ssize_t name_size = 0;
    int is_array = 0;
    PyObject *columns = Py_None, *factory = Py_None, *members = Py_None;
    if (!PyArg_ParseTuple(item, "Is#s|pIOOO;a type is described by (oid, name, typtype, is_array, element, columns, factory, labels)",
                          &oid, &name, &name_size, &variety, &is_array, &element, &columns, &factory, &members)) {
        return false;
    }
    row.oid = oid;
    row.name = {name, static_cast<std::size_t>(name_size)};
    row.variety = *variety;
    row.is_array = is_array != 0;
    row.element = element;
    if (factory != Py_None) row.factory = Ref::share(factory);
    return read_columns(columns, row) && read_labels(members, row);
}

PyObject* add_types(PyObject* self, PyObject* iterable) {
    try {
        std::vector<Ref> held;
        std::vector<walk::PgTypeRow> rows;
        if (!read_pg_type_rows(iterable, held, rows)) return nullptr;
        codec_of(self).types.add(std::move(rows));
        return Ref::none().release();
    } catch (const std::bad_alloc&) {
        return PyErr_NoMemory();
    }
}

PyObject* missing_types(PyObject* self, PyObject* iterable) {
    try {
        std::vector<Ref> held;
        std::vector<walk::PgTypeRow> rows;
        if (!read_pg_type_rows(iterable, held, rows)) return nullptr;
        Ref list = Ref::steal(PyList_New(0));
        if (!list) return nullptr;
        for (const std::uint32_t oid : codec_of(self).types.missing(rows)) {
            Ref number = Ref::steal(PyLong_FromUnsignedLong(oid));
            if (!number || PyList_Append(list.get(), number.get()) < 0) return nullptr;
        }
        return list.release();
    } catch (const std::bad_alloc&) {
        return PyErr_NoMemory();
    }
}

PyObject* knows(PyObject* self, PyObject* oid_object) {
    const unsigned long oid = PyLong_AsUnsignedLong(oid_object);
    if (oid == static_cast<unsigned long>(-1) && PyErr_Occurred()) return nullptr;
    return PyBool_FromLong(codec_of(self).types.find(static_cast<std::uint32_t>(oid)) != nullptr);
}

PyObject* describe(PyObject* self, PyObject* oid_object) {
    const unsigned long oid = PyLong_AsUnsignedLong(oid_object);
    if (oid == static_cast<unsigned long>(-1) && PyErr_Occurred()) return nullptr;
    const walk::PgType* type = codec_of(self).types.find(static_cast<std::uint32_t>(oid));
    if (type == nullptr) return Ref::none().release();
    return Py_BuildValue("(sOI)", type->name.c_str(), type->binary ? Py_True : Py_False,
                         type->element == nullptr ? 0u : static_cast<unsigned>(type->element->oid));
}

// Settings as attributes; None means the default.
Ref walk::PgSettings::*const settings_of[] = {&walk::PgSettings::timezone, &walk::PgSettings::json_loads,
                                              &walk::PgSettings::json_dumps};

PyObject* get_setting(PyObject* self, void* which) {
    const Ref& held = codec_of(self).settings.*settings_of[reinterpret_cast<std::intptr_t>(which)];
    return held ? held.shared() : Ref::none().release();
}

int set_setting(PyObject* self, PyObject* value, void* which) {
    const auto index = reinterpret_cast<std::intptr_t>(which);
    if (value == nullptr) {
        PyErr_SetString(PyExc_AttributeError, "settings cannot be deleted");
        return -1;
    }
    if (value != Py_None) {
        const bool fits = index == 0 ? PyObject_TypeCheck(value, py::clock_api->TZInfoType) != 0 : PyCallable_Check(value) != 0;
        if (!fits) {
            PyErr_SetString(PyExc_TypeError, index == 0 ? "timezone must be a tzinfo" : "must be callable");
            return -1;
        }
    }
    codec_of(self).settings.*settings_of[index] = value == Py_None ? Ref() : Ref::share(value);
    return 0;
}

PyObject* get_encoding(PyObject* self, void*) {
    const std::string& name = codec_of(self).settings.encoding;
    return PyUnicode_FromString(name.empty() ? "utf-8" : name.c_str());
}

int set_encoding(PyObject* self, PyObject* value, void*) {
    const char* name = value == nullptr ? nullptr : PyUnicode_AsUTF8(value);
    if (name == nullptr) {
        if (value == nullptr) PyErr_SetString(PyExc_AttributeError, "settings cannot be deleted");
        return -1;
    }
    try {
        std::string& encoding = codec_of(self).settings.encoding;
        encoding = name;
        if (encoding == "utf-8" || encoding == "utf8") encoding.clear();
    } catch (const std::bad_alloc&) {
        PyErr_NoMemory();
        return -1;
    }
    return 0;
}

PyGetSetDef settings[] = {
    {"timezone", &get_setting, &set_setting, PyDoc_STR("tzinfo of timestamptz values; None is UTC."), nullptr},
    {"json_loads", &get_setting, &set_setting, PyDoc_STR("Called with bytes; None is json.loads."), reinterpret_cast<void*>(1)},
    {"json_dumps", &get_setting, &set_setting, PyDoc_STR("Returns str or bytes; None is json.dumps."), reinterpret_cast<void*>(2)},
    {"encoding", &get_encoding, &set_encoding, PyDoc_STR("Python codec of text, or 'bytes' (SQL_ASCII)."), nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyMethodDef methods[] = {
    {"encode", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&encode)), METH_FASTCALL,
     PyDoc_STR("encode($self, oid, value, /)\n--\n\n"
               "The binary form of a value as bytes; None for None. A type without one gives its text form.\n"
               "Raises psycopg.DataError.")},
    {"decode", &decode, METH_VARARGS,
     PyDoc_STR("decode($self, oid, data, text=False, /)\n--\n\n"
               "The value of a field in binary (or text) format; None for None. Raises psycopg.DataError.")},
    {"add_types", &add_types, METH_O,
     PyDoc_STR("add_types($self, rows, /)\n--\n\n"
               "Adds types from an iterable of (oid, name, typtype, is_array, element, columns, factory, labels), all but the\n"
               "first three optional. `element` is the oid of an array's elements, a domain's base, a range's subtype or a\n"
               "multirange's range. `columns` are pairs of name and oid of a composite, `factory` is called with their values\n"
               "(None: a tuple). `labels` map labels of an enumeration to Python values (None: str).")},
    {"missing_types", &missing_types, METH_O,
     PyDoc_STR("missing_types($self, rows, /)\n--\n\nOids that the rows (as for add_types) refer to and that nobody knows yet.")},
    {"knows", &knows, METH_O, PyDoc_STR("knows($self, oid, /)\n--\n\nWhether a type is built in or was added.")},
    {"describe", &describe, METH_O,
     PyDoc_STR("describe($self, oid, /)\n--\n\n(name, has a binary form, oid of the element or 0); None for an unknown type.")},
    {"encode_rows", &pg_encode_rows, METH_VARARGS,
     PyDoc_STR("encode_rows($self, oids, names, rows, /)\n--\n\n"
               "Rows as a COPY BINARY stream. Rows are tuples or lists, or mappings with `names` as keys.\n"
               "Raises psycopg.DataError naming row and column.")},
    {"encode_columns", &pg_encode_columns, METH_VARARGS,
     PyDoc_STR("encode_columns($self, oids, names, rows, /)\n--\n\n"
               "A list with the binary array of each column of the rows, for unnest().")},
    {"decode_rows", &pg_decode_rows, METH_VARARGS,
     PyDoc_STR("decode_rows($self, oids, names, data, shape='tuples', /)\n--\n\n"
               "A list of the rows of a COPY BINARY stream; shape is tuples, dicts, records or first.")},
    {nullptr, nullptr, 0, nullptr},
};

PyObject* record_again(PyObject* module, PyObject* const* arguments, Py_ssize_t given) {
    if (given != 2) {
        PyErr_Format(PyExc_TypeError, "pg_record expected 2 arguments, got %zd", given);
        return nullptr;
    }
    try {
        return walk::record_again(state_of_module(module).pg_kinds, arguments[0], arguments[1]).release();
    } catch (const std::bad_alloc&) {
        return PyErr_NoMemory();
    }
}

PyMethodDef functions[] = {
    {"pg_record", reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(&record_again)), METH_FASTCALL,
     PyDoc_STR("pg_record($module, names, values, /)\n--\n\nThe Record that was pickled or copied.")},
    {nullptr, nullptr, 0, nullptr},
};

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>("PgCodec()\n--\n\nTypes and settings of a PostgreSQL session.")},
    {Py_tp_new, reinterpret_cast<void*>(&create)},
    {Py_tp_dealloc, reinterpret_cast<void*>(&deallocate)},
    {Py_tp_traverse, reinterpret_cast<void*>(&traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(&clear)},
    {Py_tp_methods, methods},
    {Py_tp_getset, settings},
    {0, nullptr},
};

PyType_Spec spec = {
    "barewire._core.PgCodec", sizeof(CodecObject), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_IMMUTABLETYPE, slots,
};

}  // namespace

bool read_pg_type_rows(PyObject* iterable, std::vector<Ref>& held, std::vector<walk::PgTypeRow>& rows) {
    Ref iterator = Ref::steal(PyObject_GetIter(iterable));
    if (!iterator) return false;
    while (Ref item = Ref::steal(PyIter_Next(iterator.get()))) {
        walk::PgTypeRow row;
        if (!read_row(item.get(), row)) return false;
        rows.push_back(std::move(row));
        held.push_back(std::move(item));  // the row's name points into it
    }
    return PyErr_Occurred() == nullptr;
}

PgCodec* pg_codec_of(ModuleState& state, PyObject* object) {
    if (Py_TYPE(object) == reinterpret_cast<PyTypeObject*>(state.pg_codec_type.get())) return &codec_of(object);
    PyErr_Format(PyExc_TypeError, "expected a PgCodec, got %.200s", Py_TYPE(object)->tp_name);
    return nullptr;
}

PgCodec& pg_codec_of_self(PyObject* self) noexcept { return codec_of(self); }

bool add_pg_codec(PyObject* module, ModuleState& state) {
    return walk::add_pg_record(module, state.pg_kinds) && add_type(module, spec, state.pg_codec_type) &&
           PyModule_AddFunctions(module, functions) == 0;
}

}  // namespace barewire::bind
