// Several statements in one flush: batch().
#pragma once

#include <memory>
#include <vector>

#include "bind/pg_call.h"
#include "bind/pg_query.h"

namespace barewire::bind {

class BatchCall final : public Call<net::pg::Execution> {
public:
    // `items`: a list of (PG_STATUS or ..., query, tuple of values, rows or None). `begin`: None (each on its own), "" (all or
    // nothing), or the statement that begins their transaction. nullptr with a Python error set.
    static BatchCall* make(PyObject* connection, PyObject* items, PyObject* begin);

    bool rewind(std::size_t from) noexcept override;
    net::pg::Next next(net::pg::Item& item) noexcept override;
    net::pg::Answer result(std::size_t item, const net::pg::Statement& statement,
                           const net::pg::Result& result) noexcept override;

private:
    struct One {
        PgOutcome outcome;
        std::uint32_t use = 0;
        PyObject* values = nullptr;   // tuple, held by items_
        std::unique_ptr<StatementPlan> plan;
        py::Ref error;
    };

    using Call::Call;
    bool read(PyObject* items, PyObject* begin);
    bool write(net::pg::Item& item);
    py::Ref value() override;
    void raise() override;
    PgCall* again() override;
    py::Ref results(std::size_t run);
    void raise_first(py::Ref error, std::size_t position, std::size_t run);

    py::Ref items_, begin_;
    std::vector<One> all_;
    std::vector<net::pg::StatementUse> statements_;
    std::vector<std::size_t> sent_;   // position of each item that was sent
    std::size_t next_ = 0;
    std::size_t doubted_ = none;      // position whose values did not fit, see Next::anew
    bool refused_values_ = false;     // write() has failed at the values
};

}  // namespace barewire::bind
