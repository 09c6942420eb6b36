// How the parameters of a statement are written and its rows read: made when it has been described, kept with it.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "bind/pg_types.h"
#include "net/pg/operation.h"
#include "net/pg/parameters.h"
#include "net/pg/result.h"
#include "net/pg/statement.h"
#include "py/ref.h"
#include "walk/pg_rows.h"
#include "walk/pg_types.h"

namespace barewire::bind {

class StatementPlan final : public net::pg::Plan {
public:
    // Destroyed wherever the connection drops the statement; takes the GIL for its names.
    ~StatementPlan() override;

    std::vector<const walk::PgType*> parameters;
    std::unique_ptr<walk::PgRowPlan> rows = std::make_unique<walk::PgRowPlan>();
    bool binary_parameters = true;  // every one has a binary form
    bool binary_results = true;  // false: a column's type has no binary form that is known, so all travel as text
    bool zoned = false;          // some value depends on the session's time zone
};

// The plan of a described statement, made on first sight. nullptr: a type is not known, its oids are in `unknown`; or with
// `unknown` empty, a Python error is set.
StatementPlan* plan_of(PgSession& session, net::pg::Statement& statement, std::vector<std::uint32_t>& unknown);

// The plan of a result that no description came before.
std::unique_ptr<StatementPlan> plan_of_result(PgSession& session, const net::pg::Result& result);

// Writes `values` as the parameters of one execution; their number was checked. False with a Python error set.
// `row`: position in an executemany, -1: none.
[[nodiscard]] bool write_parameters(PgSession& session, const StatementPlan& plan, PyObject* const* values, long long row,
                                    net::pg::Parameters& out);
// False with psycopg.ProgrammingError set when `given` is not the number of parameters.
// After write_parameters() has failed: whether the value could fit if the server were asked again what the statement takes,
// because a column may have got another type since. The types are then noted in the use.
bool doubts_types(PgSession& session, net::pg::StatementUse& use);
// The statement of such a use was described again: whether it takes the same types as before.
inline bool same_types(const net::pg::StatementUse& use) { return use.statement->parameter_types == use.doubted; }
[[nodiscard]] bool check_count(PgSession& session, const StatementPlan& plan, Py_ssize_t given, long long row);

// Whether values of the type depend on the session's time zone.
bool depends_on_zone(const walk::PgType& type, int depth = 0);

// The cells of a result for PgRowPlan; `result` must outlive it.
walk::PgCells cells_of(const net::pg::Result& result) noexcept;

// Sets an exception of psycopg's DB-API classes by its name ("ProgrammingError").
void raise_psycopg(const char* name, const char* format, ...);

}  // namespace barewire::bind
