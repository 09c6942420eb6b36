// Scripts: the simple protocol, without parameters and rows.
#include "bind/pg_script.h"

#include <new>
#include <string_view>
#include <utility>

#include "bind/pg_query.h"

namespace barewire::bind {

using py::Ref;

bool holds_several(PyObject* text) noexcept {
    Py_ssize_t size = 0;
    const char* data = PyUnicode_AsUTF8AndSize(text, &size);
    if (data == nullptr) {
        PyErr_Clear();  // whoever sends it says so
        return false;
    }
    const std::string_view all(data, static_cast<std::size_t>(size));
    const std::size_t last = all.find_last_not_of("; \t\r\n\f\v");
    return last != std::string_view::npos && all.find(';') < last;
}

ScriptCall* ScriptCall::make(PyObject* connection, PyObject* text) {
    const char* data = nullptr;
    std::size_t size = 0;
    if (!statement_text(text, data, size)) return nullptr;
    auto* call = new (std::nothrow) ScriptCall(connection);
    if (call == nullptr) {
        PyErr_NoMemory();
        return nullptr;
    }
    call->text = data;
    call->text_ = Ref::share(text);
    return call;
}

net::pg::Answer ScriptCall::result(const net::pg::Result& result) noexcept {
    if (given_up()) return net::pg::Answer::stop;
    const std::string_view tag = result.command_tag();
    if (!result.complete() || tag.empty()) return net::pg::Answer::more;
    tag_ = Ref::steal(PyUnicode_DecodeUTF8(tag.data(), static_cast<Py_ssize_t>(tag.size()), "replace"));
    if (tag_) return net::pg::Answer::more;
    keep_error();
    return net::pg::Answer::stop;
}

Ref ScriptCall::value() { return tag_ ? std::move(tag_) : Ref::steal(PyUnicode_FromString("")); }

}  // namespace barewire::bind
