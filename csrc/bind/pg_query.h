// One statement with parameters: what a call of fetch, fetchrow, fetchval, execute or describe runs.
#pragma once

#include <cstdint>

#include "bind/pg_call.h"
#include "bind/pg_plan.h"

namespace barewire::bind {

// What becomes of a result; the values are those of _core.PG_STATUS, ...
enum class PgWhat : std::uint8_t { status = 0, rows = 1, row = 2, value = 3 };

// Gathers the results of one statement.
class PgOutcome {
public:
    PgWhat what = PgWhat::rows;
    walk::PgShape shape = walk::PgShape::tuples;
    Py_ssize_t column = 0;   // of `value`

    // Takes a part of the result. False with a Python error set.
    [[nodiscard]] bool take(PgSession& session, const net::pg::Operation& operation, StatementPlan& plan,
                            const net::pg::Result& result);
    // Empty with a Python error set.
    py::Ref value();
    // What was taken is worth nothing: the statement is run again.
    void forget() noexcept { kept_.reset(); }

private:
    py::Ref kept_;   // list, row, value or tag
};

// How the rows of a result are read; nullptr with a Python error set. `own` keeps a plan that no statement holds.
StatementPlan* plan_for(PgSession& session, const net::pg::StatementUse& use, const net::pg::Statement& statement,
                        const net::pg::Result& result, std::unique_ptr<StatementPlan>& own);

class QueryCall final : public Call<net::pg::Execution> {
public:
    // `query` must be a str; its text is held. nullptr with a Python error set. `once`: not worth remembering.
    static QueryCall* make(PyObject* connection, PyObject* query, PyObject* const* values, Py_ssize_t count, bool once);

    PgOutcome outcome;
    bool text_results = false;    // of `once`: columns that have no binary form
    bool only_describe = false;   // nothing is run; the value is (parameter oids, ((name, oid), ...), binary results)

    bool rewind(std::size_t) noexcept override {
        written_ = false;
        outcome.forget();
        own_plan_.reset();
        return true;
    }
    net::pg::Next next(net::pg::Item& item) noexcept override;
    net::pg::Answer result(std::size_t item, const net::pg::Statement& statement,
                           const net::pg::Result& result) noexcept override;

private:
    using Call::Call;
    std::string_view single_statement() const noexcept override { return {use_.key.text, use_.key.size}; }
    py::Ref value() override;
    PgCall* again() override;
    bool write(net::pg::Item& item);
    bool describe(const net::pg::Statement& statement, const StatementPlan& plan);

    py::Ref query_, values_;   // str; tuple
    net::pg::StatementUse use_;
    std::unique_ptr<StatementPlan> own_plan_;   // of `once`
    py::Ref description_;
    bool written_ = false;
};

// The text of a str as UTF-8 ended by NUL. False with a Python error set: TypeError, or psycopg.ProgrammingError for NUL.
[[nodiscard]] bool statement_text(PyObject* query, const char*& text, std::size_t& size);

}  // namespace barewire::bind
