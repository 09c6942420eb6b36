// Allocation and slot writes behind walk/values.h, and the samples that decide whether they may be used.
#include "walk/values.h"

#include <utility>

#include "py/internals/bytes_build.h"
#include "py/internals/integer_build.h"
#include "walk/object_id.h"

namespace barewire::walk {

namespace {

using py::Ref;

Ref call(PyObject* callable, PyObject* first, PyObject* second = nullptr) {
    PyObject* arguments[3] = {nullptr, first, second};
    const std::size_t count = second == nullptr ? 1 : 2;
    return Ref::steal(PyObject_Vectorcall(callable, arguments + 1, count | PY_VECTORCALL_ARGUMENTS_OFFSET, nullptr));
}

// Both an instance of exactly `type`, equal, and with equal attributes where they have any.
bool same_object(PyObject* made, PyObject* sample, bool& same) {
    same = Py_TYPE(made) == Py_TYPE(sample);
    if (!same) return true;
    const int equal = PyObject_RichCompareBool(made, sample, Py_EQ);
    if (equal < 0) return false;
    same = equal == 1;
    return true;
}

bool confirm_object_id(Values& values, PyObject* type) {
    if (!values.object_id.describe(type, {"_ObjectId__id"})) return false;
    Ref bytes = Ref::steal(PyBytes_FromStringAndSize("barewire\0\1\2\3", 12));
    if (!bytes) return false;
    Ref sample = call(type, bytes.get());
    return sample && values.object_id.confirm(sample.get(), {bytes.get()});
}

bool confirm_pair(py::SlotClass& slots, PyObject* type, std::initializer_list<const char*> names, PyObject* first,
                  PyObject* second) {
    if (!slots.describe(type, names)) return false;
    Ref sample = call(type, first, second);
    return sample && slots.confirm(sample.get(), {first, second});
}

bool confirm_decimal128(Values& values, PyObject* type, PyObject* high, PyObject* low) {
    if (!values.decimal128.describe(type, {"_Decimal128__high", "_Decimal128__low"})) return false;
    Ref pair = Ref::steal(PyTuple_Pack(2, high, low));
    if (!pair) return false;
    Ref sample = call(type, pair.get());
    return sample && values.decimal128.confirm(sample.get(), {high, low});
}

bool confirm_uuid(Values& values, const Kinds& kinds) {
    PyObject* type = kinds.uuid.get();
    if (!values.uuid.describe(type, {"int", "is_safe"})) return false;
    Ref bytes = Ref::steal(PyBytes_FromStringAndSize("\x01\x02\x03\x04\x05\x06\x07\x08\xf9\xfa\xfb\xfc\xfd\xfe\xff\x10", 16));
    Ref number = Ref::steal(py::integer_from_words(0x0102030405060708u, 0xf9fafbfcfdfeff10u));
    if (!bytes || !number) return false;
    PyObject* arguments[1] = {bytes.get()};
    Ref sample = Ref::steal(PyObject_Vectorcall(type, arguments, 0, values.bytes_name.get()));
    return sample && values.uuid.confirm(sample.get(), {number.get(), kinds.safe_uuid_unknown.get()});
}

bool confirm_dbref(Values& values, PyObject* type, PyObject* text, PyObject* number) {
    if (!values.dbref.describe(type, {"_DBRef__collection", "_DBRef__id", "_DBRef__database", "_DBRef__kwargs"})) {
        return false;
    }
    Ref extra = Ref::steal(PyDict_New());
    if (!extra || PyDict_SetItem(extra.get(), text, number) < 0) return false;
    PyObject* arguments[4] = {text, number, text, extra.get()};
    Ref sample = Ref::steal(PyObject_Vectorcall(type, arguments, 4, nullptr));
    return sample && values.dbref.confirm(sample.get(), {text, number, text, extra.get()});
}

bool confirm_raw_document(Values& values, PyObject* type) {
    if (!values.raw_document.describe(type, {"_RawBSONDocument__raw", "_RawBSONDocument__inflated_doc",
                                             "_RawBSONDocument__codec_options"})) {
        return false;
    }
    Ref module = Ref::steal(PyImport_ImportModule("bson.raw_bson"));
    if (!module) return false;
    Ref options = Ref::steal(PyObject_GetAttrString(module.get(), "DEFAULT_RAW_BSON_OPTIONS"));
    Ref bytes = Ref::steal(PyBytes_FromStringAndSize("\5\0\0\0", 5));
    if (!options || !bytes) return false;
    Ref sample = call(type, bytes.get(), options.get());
    return sample && values.raw_document.confirm(sample.get(), {bytes.get(), Py_None, options.get()});
}

bool confirm_int64(Values& values, PyObject* type) {
    values.int64_by_digits = false;
#ifdef BAREWIRE_INTEGER_DIGITS
    const auto* layout = reinterpret_cast<PyTypeObject*>(type);
    if (layout->tp_basicsize != PyLong_Type.tp_basicsize || layout->tp_dictoffset != 0 ||
        layout->tp_alloc != PyType_GenericAlloc) {
        return true;
    }
    for (std::int64_t value : {std::int64_t{0}, std::int64_t{-1}, std::int64_t{1} << 30, INT64_MIN, INT64_MAX}) {
        Ref number = Ref::steal(PyLong_FromLongLong(value));
        if (!number) return false;
        Ref sample = call(type, number.get());
        Ref made = Ref::steal(py::subclass_integer_digits(reinterpret_cast<PyTypeObject*>(type), value));
        if (!sample || !made) return false;
        bool same = false;
        if (!same_object(made.get(), sample.get(), same)) return false;
        if (!same) return true;
    }
    values.int64_by_digits = true;
#else
    (void)type;
#endif
    return true;
}

#ifdef BAREWIRE_BYTES_MEMORY
// The subtype is an attribute in the instance dict, which allocation leaves empty.
PyObject* binary_by_memory(PyTypeObject* type, PyObject* subtype_name, const std::uint8_t* data, std::size_t size,
                           int subtype) {
    Ref number = Ref::steal(PyLong_FromLong(subtype));
    Ref object = Ref::steal(py::subclass_bytes_memory(type, data, size));
    if (!number || !object) return nullptr;
    if (PyObject_GenericSetAttr(object.get(), subtype_name, number.get()) < 0) return nullptr;
    return object.release();
}
#endif

bool confirm_binary(Values& values, PyObject* type) {
    values.binary_by_memory = false;
#ifdef BAREWIRE_BYTES_MEMORY
    auto* layout = reinterpret_cast<PyTypeObject*>(type);
    if (layout->tp_alloc != PyType_GenericAlloc || layout->tp_itemsize != 1 ||
        layout->tp_setattro != PyObject_GenericSetAttr) {
        return true;
    }
    Ref bytes = Ref::steal(PyBytes_FromStringAndSize("abc", 3));
    Ref subtype = Ref::steal(PyLong_FromLong(128));
    if (!bytes || !subtype) return false;
    Ref sample = call(type, bytes.get(), subtype.get());
    Ref made = Ref::steal(binary_by_memory(layout, values.binary_subtype_name.get(),
                                           reinterpret_cast<const std::uint8_t*>("abc"), 3, 128));
    if (!sample || !made) return false;
    bool same = false;
    if (!same_object(made.get(), sample.get(), same)) return false;
    if (!same) return true;
    Ref made_state = Ref::steal(PyObject_GetAttrString(made.get(), "__dict__"));
    Ref sample_state = Ref::steal(PyObject_GetAttrString(sample.get(), "__dict__"));
    if (!made_state || !sample_state) return false;
    if (!same_object(made_state.get(), sample_state.get(), same)) return false;
    values.binary_by_memory = same;
#else
    (void)type;
    (void)same_object;
#endif
    return true;
}

// 0 where the release has no such limit.
bool read_view_threshold(Values& values) {
    Ref module = Ref::steal(PyImport_ImportModule("bson.codec_options"));
    if (!module) return false;
    Ref threshold = Ref::steal(PyObject_GetAttrString(module.get(), "_RAW_BSON_VIEW_THRESHOLD"));
    if (threshold) values.raw_view_threshold = PyLong_AsSsize_t(threshold.get());
    if (!PyErr_Occurred()) return true;
    if (threshold) return false;
    PyErr_Clear();
    return true;
}

bool fill(Kinds& kinds, Values& values) {
    values.binary_subtype_name = Ref::steal(PyUnicode_InternFromString("_Binary__subtype"));
    Ref bytes_keyword = Ref::steal(PyUnicode_InternFromString("bytes"));
    if (!values.binary_subtype_name || !bytes_keyword) return false;
    values.bytes_name = Ref::steal(PyTuple_Pack(1, bytes_keyword.get()));
    Ref large = Ref::steal(PyLong_FromLongLong(std::int64_t{1} << 40));
    Ref medium = Ref::steal(PyLong_FromLong(123456789));
    Ref small = Ref::steal(PyLong_FromLong(1000));
    Ref text = Ref::steal(PyUnicode_FromString("sample"));
    if (!values.bytes_name || !large || !medium || !small || !text) return false;
    return confirm_object_id(values, kinds.object_id.get()) &&
           confirm_decimal128(values, kinds.decimal128.get(), large.get(), medium.get()) &&
           values.datetime_ms.describe(kinds.datetime_ms.get(), {"_value"}) &&
           [&] {
               Ref sample = call(kinds.datetime_ms.get(), large.get());
               return sample && values.datetime_ms.confirm(sample.get(), {large.get()});
           }() &&
           confirm_pair(values.timestamp, kinds.timestamp.get(), {"_Timestamp__time", "_Timestamp__inc"}, medium.get(),
                        small.get()) &&
           confirm_pair(values.regex, kinds.regex.get(), {"pattern", "flags"}, text.get(), small.get()) &&
           confirm_dbref(values, kinds.dbref.get(), text.get(), large.get()) && confirm_uuid(values, kinds) &&
           confirm_raw_document(values, kinds.raw_document.get()) &&
           values.min_key.describe(kinds.min_key.get(), {}) && values.max_key.describe(kinds.max_key.get(), {}) &&
           confirm_int64(values, kinds.int64.get()) && confirm_binary(values, kinds.binary.get()) &&
           read_view_threshold(values);
}

// Gives an instance two ints as its slots; nullptr if one could not be made.
PyObject* with_slots(const py::SlotClass& type, PyObject* first, PyObject* second) {
    Ref one = Ref::steal(first), two = Ref::steal(second);
    if (!one || !two) return nullptr;
    PyObject* instance = type.allocate();
    if (instance == nullptr) return nullptr;
    type.slot(instance, 0) = one.release();
    type.slot(instance, 1) = two.release();
    return instance;
}

}  // namespace

const Values* load_values(Kinds& kinds) {
    if (!kinds.resolve()) return nullptr;
    if (!kinds.values) {
        auto values = std::make_shared<Values>();
        if (!fill(kinds, *values)) return nullptr;
        kinds.values = std::move(values);
    }
    return kinds.values.get();
}

PyObject* new_object_id(const Kinds& kinds, const Values& values, const std::uint8_t bytes[12]) {
    if (BAREWIRE_UNLIKELY(!values.object_id.native())) return make_object_id(kinds, bytes).release();
    Ref id = Ref::steal(PyBytes_FromStringAndSize(reinterpret_cast<const char*>(bytes), 12));
    if (!id) return nullptr;
    // Not tracked by the collector: bytes cannot be part of a cycle.
    PyObject* instance = values.object_id.allocate();
    if (BAREWIRE_LIKELY(instance != nullptr)) values.object_id.slot(instance, 0) = id.release();
    return instance;
}

PyObject* new_int64(const Kinds& kinds, const Values& values, std::int64_t value) {
    auto* type = reinterpret_cast<PyTypeObject*>(kinds.int64.get());
#ifdef BAREWIRE_INTEGER_DIGITS
    if (BAREWIRE_LIKELY(values.int64_by_digits)) return py::subclass_integer_digits(type, value);
#else
    (void)values;
#endif
    return py::subclass_integer_public(type, value);
}

PyObject* new_binary(const Kinds& kinds, const Values& values, const std::uint8_t* data, std::size_t size, int subtype) {
#ifdef BAREWIRE_BYTES_MEMORY
    if (BAREWIRE_LIKELY(values.binary_by_memory)) {
        return binary_by_memory(reinterpret_cast<PyTypeObject*>(kinds.binary.get()), values.binary_subtype_name.get(), data,
                                size, subtype);
    }
#else
    (void)values;
#endif
    Ref bytes = Ref::steal(PyBytes_FromStringAndSize(reinterpret_cast<const char*>(data), static_cast<Py_ssize_t>(size)));
    Ref number = Ref::steal(PyLong_FromLong(subtype));
    if (!bytes || !number) return nullptr;
    return call(kinds.binary.get(), bytes.get(), number.get()).release();
}

PyObject* new_uuid(const Kinds& kinds, const Values& values, std::uint64_t high, std::uint64_t low) {
    if (BAREWIRE_LIKELY(values.uuid.native())) {
        return with_slots(values.uuid, py::integer_from_words(high, low), kinds.safe_uuid_unknown.shared());
    }
    char big_endian[16];
    for (int i = 0; i < 8; ++i) {
        big_endian[i] = static_cast<char>(high >> (56 - 8 * i));
        big_endian[8 + i] = static_cast<char>(low >> (56 - 8 * i));
    }
    Ref bytes = Ref::steal(PyBytes_FromStringAndSize(big_endian, 16));
    if (!bytes) return nullptr;
    PyObject* arguments[1] = {bytes.get()};
    return PyObject_Vectorcall(values.uuid.object(), arguments, 0, values.bytes_name.get());
}

PyObject* new_decimal128(const Values& values, std::uint64_t high, std::uint64_t low) {
    if (BAREWIRE_LIKELY(values.decimal128.native())) {
        return with_slots(values.decimal128, PyLong_FromUnsignedLongLong(high), PyLong_FromUnsignedLongLong(low));
    }
    Ref first = Ref::steal(PyLong_FromUnsignedLongLong(high)), second = Ref::steal(PyLong_FromUnsignedLongLong(low));
    if (!first || !second) return nullptr;
    Ref pair = Ref::steal(PyTuple_Pack(2, first.get(), second.get()));
    return pair ? call(values.decimal128.object(), pair.get()).release() : nullptr;
}

PyObject* new_datetime_ms(const Values& values, std::int64_t milliseconds) {
    Ref number = Ref::steal(PyLong_FromLongLong(milliseconds));
    if (!number) return nullptr;
    if (!values.datetime_ms.native()) return call(values.datetime_ms.object(), number.get()).release();
    PyObject* instance = values.datetime_ms.allocate();
    if (instance != nullptr) values.datetime_ms.slot(instance, 0) = number.release();
    return instance;
}

PyObject* new_timestamp(const Values& values, std::uint32_t time, std::uint32_t increment) {
    if (BAREWIRE_LIKELY(values.timestamp.native())) {
        return with_slots(values.timestamp, PyLong_FromUnsignedLong(time), PyLong_FromUnsignedLong(increment));
    }
    Ref first = Ref::steal(PyLong_FromUnsignedLong(time)), second = Ref::steal(PyLong_FromUnsignedLong(increment));
    if (!first || !second) return nullptr;
    return call(values.timestamp.object(), first.get(), second.get()).release();
}

PyObject* new_regex(const Values& values, Ref pattern, int flags) {
    Ref number = Ref::steal(PyLong_FromLong(flags));
    if (!number) return nullptr;
    if (!values.regex.native()) return call(values.regex.object(), pattern.get(), number.get()).release();
    PyObject* instance = with_slots(values.regex, pattern.release(), number.release());
    // Its attributes are public and may be set to anything later.
    if (instance != nullptr && PyObject_IS_GC(instance)) PyObject_GC_Track(instance);
    return instance;
}

PyObject* new_dbref(const Values& values, Ref collection, Ref id, Ref database, Ref extra) {
    const py::SlotClass& type = values.dbref;
    if (!type.native() || (extra && !PyDict_CheckExact(extra.get()))) {
        PyObject* arguments[4] = {collection.get(), id.get(), database.get(), extra.get()};
        return PyObject_Vectorcall(type.object(), arguments, extra ? 4 : 3, nullptr);
    }
    if (!extra) extra = Ref::steal(PyDict_New());
    if (!extra) return nullptr;
    PyObject* instance = type.allocate();
    if (instance == nullptr) return nullptr;
    type.slot(instance, 0) = collection.release();
    type.slot(instance, 1) = id.release();
    type.slot(instance, 2) = database.release();
    type.slot(instance, 3) = extra.release();
    if (PyObject_IS_GC(instance)) PyObject_GC_Track(instance);
    return instance;
}

PyObject* new_without_slots(const py::SlotClass& type) {
    return type.native() ? type.allocate() : PyObject_CallObject(type.object(), nullptr);
}

PyObject* new_raw_document(const Values& values, PyObject* type, Ref raw, PyObject* options) {
    const py::SlotClass& slots = values.raw_document;
    if (!slots.native() || type != slots.object()) return call(type, raw.get(), options).release();
    PyObject* instance = slots.allocate();
    if (instance == nullptr) return nullptr;
    slots.slot(instance, 0) = raw.release();
    slots.slot(instance, 1) = Ref::none().release();
    slots.slot(instance, 2) = Ref::share(options).release();
    if (PyObject_IS_GC(instance)) PyObject_GC_Track(instance);
    return instance;
}

}  // namespace barewire::walk
