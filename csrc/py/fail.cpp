// Building and attaching error paths; no error classes are chosen here.
#include "py/fail.h"

#include <utility>

#include "py/compat.h"
#include "py/ref.h"

namespace barewire::py {

void ErrorPath::leave_key(const char* key) noexcept {
    if (steps_.size() >= max_steps) return;
    try {
        steps_.emplace_back(1, '.').append(key);
    } catch (...) {  // out of memory: the error goes on without this step
    }
}

void ErrorPath::leave_index(std::size_t index) noexcept {
    if (steps_.size() >= max_steps) return;
    try {
        steps_.emplace_back(1, '[').append(std::to_string(index)).push_back(']');
    } catch (...) {
    }
}

bool ErrorPath::take(std::string& text) noexcept {
    try {
        text = steps_.size() >= max_steps ? "..." : "";
        for (std::size_t i = steps_.size(); i-- > 0;) text += steps_[i];
    } catch (...) {
        return false;
    }
    steps_.clear();
    return true;
}

void ErrorPath::annotate() noexcept {
    if (steps_.empty()) return;
    std::string path;
    if (!take(path)) return;
    try {
        // The outermost key needs no dot before it.
        path = (path[0] == '.' && path.compare(0, 3, "...") != 0) ? "at " + path.substr(1) : "at " + path;
    } catch (...) {
        return;
    }
    note_exception(path);
}

void note_exception(const std::string& text) noexcept {
    Ref exception = take_exception();
    if (!exception) return;
    Ref add_note = Ref::steal(PyObject_GetAttrString(exception.get(), "add_note"));
    if (add_note) {
        Ref note = Ref::steal(PyUnicode_DecodeUTF8(text.data(), static_cast<Py_ssize_t>(text.size()), "replace"));
        if (note) {
            Ref done = Ref::steal(PyObject_CallOneArg(add_note.get(), note.get()));
        }
    }
    PyErr_Clear();
    restore_exception(std::move(exception));
}

}  // namespace barewire::py
