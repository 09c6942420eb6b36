// Items of lists and tuples in place; no other sequences.
#pragma once

#include "base/macros.h"
#include "py/python.h"

namespace barewire::py {

// Valid until anything runs that may change the list.
struct Items {
    PyObject* const* data;
    Py_ssize_t size;
};

BAREWIRE_INLINE Items list_items(PyObject* list) noexcept {
    return {reinterpret_cast<PyListObject*>(list)->ob_item, PyList_GET_SIZE(list)};
}

BAREWIRE_INLINE Items tuple_items(PyObject* tuple) noexcept {
    return {reinterpret_cast<PyTupleObject*>(tuple)->ob_item, PyTuple_GET_SIZE(tuple)};
}

}  // namespace barewire::py
