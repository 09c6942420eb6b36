// One statement with many rows of parameters: executemany.
#pragma once

#include "bind/pg_call.h"
#include "bind/pg_plan.h"

namespace barewire::bind {

class ManyCall final : public Call<net::pg::Execution> {
public:
    // `rows` is any iterable of sequences. nullptr with a Python error set.
    static ManyCall* make(PyObject* connection, PyObject* query, PyObject* rows);

    bool rewind(std::size_t) noexcept override;
    net::pg::Next next(net::pg::Item& item) noexcept override;
    net::pg::Answer result(std::size_t, const net::pg::Statement&, const net::pg::Result&) noexcept override {
        return given_up() ? net::pg::Answer::stop : net::pg::Answer::more;
    }

private:
    using Call::Call;
    py::Ref value() override { return py::Ref::none(); }
    void raise() override;
    PgCall* again() override;
    // False: refused, or at the end with `item.last` not set.
    bool write(net::pg::Item& item, bool& ended);

    py::Ref query_, rows_, iterator_;
    py::Ref refused_row_;   // the first one, taken already
    net::pg::StatementUse use_;
    long long row_ = 0;
};

}  // namespace barewire::bind
