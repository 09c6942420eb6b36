// Making the exceptions of walk/decode_errors.h.
#include "walk/decode_errors.h"

#include <utility>

#include "py/compat.h"
#include "py/ref.h"

namespace barewire::walk {

using py::Ref;

namespace {

// Replaces the exception `old` by `fresh`, which takes over its traceback; without `fresh` another error is set already.
void replace(const Ref& old, Ref fresh) {
    if (!fresh) return;
    Ref traceback = Ref::steal(PyException_GetTraceback(old.get()));
    if (traceback) PyException_SetTraceback(fresh.get(), traceback.get());
    py::restore_exception(std::move(fresh));
}

}  // namespace

PyObject* invalid_bson(const Kinds& kinds, const char* text) {
    PyErr_SetString(kinds.invalid_bson.get(), text);
    return nullptr;
}

PyObject* wrapped_invalid_bson(const Kinds& kinds) {
    if (!PyErr_Occurred()) return invalid_bson(kinds, "invalid length or type code");
    Ref error = py::take_exception();
    if (!PyErr_GivenExceptionMatches(error.get(), PyExc_Exception) ||
        PyErr_GivenExceptionMatches(error.get(), kinds.invalid_bson.get())) {
        py::restore_exception(std::move(error));
        return nullptr;
    }
    Ref text = Ref::steal(PyObject_Str(error.get()));
    Ref fresh;
    if (text) fresh = Ref::steal(PyObject_CallOneArg(kinds.invalid_bson.get(), text.get()));
    if (!fresh && PyErr_GivenExceptionMatches(error.get(), PyExc_RecursionError)) {
        // At the limit nothing can be called: the error goes up as it is and is wrapped some levels above.
        PyErr_Clear();
        py::restore_exception(std::move(error));
        return nullptr;
    }
    replace(error, std::move(fresh));
    return nullptr;
}

PyObject* unknown_type(const Kinds& kinds, std::uint8_t type, PyObject* key) {
    Ref byte = Ref::steal(PyBytes_FromFormat("%c", type));
    if (!byte) return nullptr;
    PyErr_Format(kinds.invalid_bson.get(),
                 "Detected unknown BSON type %R for fieldname '%U'. Are you using the latest driver version?", byte.get(),
                 key);
    return nullptr;
}

PyObject* invalid_boolean(const Kinds& kinds, std::uint8_t value) {
    // bson prints the byte as a signed char.
    PyErr_Format(kinds.invalid_bson.get(), "invalid boolean value: %x", static_cast<int>(static_cast<signed char>(value)));
    return nullptr;
}

PyObject* date_out_of_range() {
    if (!PyErr_ExceptionMatches(PyExc_ValueError)) return nullptr;
    Ref error = py::take_exception();
    Ref text = Ref::steal(PyUnicode_FromFormat(
        "%S (Consider Using CodecOptions(datetime_conversion=DATETIME_AUTO) or "
        "MongoClient(datetime_conversion='DATETIME_AUTO')). See: "
        "https://www.mongodb.com/docs/languages/python/pymongo-driver/current/data-formats/dates-and-times/"
        "#handling-out-of-range-datetimes",
        error.get()));
    if (text) replace(error, Ref::steal(PyObject_CallOneArg(PyExc_ValueError, text.get())));
    return nullptr;
}

}  // namespace barewire::walk
