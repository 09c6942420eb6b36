// Text of any number of statements without parameters.
#pragma once

#include "bind/pg_call.h"

namespace barewire::bind {

class ScriptCall final : public Call<net::pg::Script> {
public:
    // nullptr with a Python error set.
    static ScriptCall* make(PyObject* connection, PyObject* text);

    net::pg::Answer result(const net::pg::Result& result) noexcept override;

private:
    using Call::Call;
    py::Ref value() override;

    py::Ref text_, tag_;
};

// Whether a text may hold more than one statement: a semicolon that is not at its end.
bool holds_several(PyObject* text) noexcept;

}  // namespace barewire::bind
