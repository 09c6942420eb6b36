// The slow part of argument matching: keywords and the texts of its TypeErrors.
#include "bind/args.h"

namespace barewire::bind::detail {

bool match_arguments(const char* function, const char* const* names, std::size_t count, std::size_t required,
                     PyObject* const* arguments, Py_ssize_t given, PyObject* keywords, PyObject** out) {
    const auto positional = static_cast<std::size_t>(given);
    if (positional > count) {
        PyErr_Format(PyExc_TypeError, "%s() takes at most %zu arguments (%zu given)", function, count, positional);
        return false;
    }
    for (std::size_t i = 0; i < positional; ++i) out[i] = arguments[i];
    const Py_ssize_t named = keywords == nullptr ? 0 : PyTuple_GET_SIZE(keywords);
    for (Py_ssize_t k = 0; k < named; ++k) {
        PyObject* name = PyTuple_GET_ITEM(keywords, k);
        std::size_t at = 0;
        while (at < count && PyUnicode_CompareWithASCIIString(name, names[at]) != 0) ++at;
        if (at == count) {
            PyErr_Format(PyExc_TypeError, "%s() got an unexpected keyword argument '%U'", function, name);
            return false;
        }
        if (out[at] != nullptr) {
            PyErr_Format(PyExc_TypeError, "%s() got multiple values for argument '%U'", function, name);
            return false;
        }
        out[at] = arguments[positional + static_cast<std::size_t>(k)];
    }
    for (std::size_t i = 0; i < required; ++i) {
        if (out[i] == nullptr) {
            PyErr_Format(PyExc_TypeError, "%s() missing required argument: '%s'", function, names[i]);
            return false;
        }
    }
    return true;
}

}  // namespace barewire::bind::detail
