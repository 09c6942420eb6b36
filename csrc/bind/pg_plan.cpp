// Plans of statements, and the values of parameters; who runs a statement is elsewhere.
#include "bind/pg_plan.h"

#include <cstdarg>
#include <new>
#include <utility>

#include "base/macros.h"
#include "walk/pg_encode.h"

namespace barewire::bind {

using net::pg::Statement;
using py::Ref;
using walk::PgType;

StatementPlan::~StatementPlan() {
    PyGILState_STATE state = PyGILState_Ensure();
    rows.reset();
    PyGILState_Release(state);
}

bool depends_on_zone(const PgType& type, int depth) {
    if (type.kind == walk::PgKind::timestamptz) return true;
    if (depth > 16) return true;
    if (type.element != nullptr && depends_on_zone(*type.element, depth + 1)) return true;
    for (const walk::PgField& field : type.fields) {
        if (field.type != nullptr && depends_on_zone(*field.type, depth + 1)) return true;
    }
    return type.kind == walk::PgKind::record;  // only its value says what is in it
}

namespace {

bool set_rows(PgSession& session, StatementPlan& plan, const std::vector<const PgType*>& types, std::vector<Ref> names) {
    std::vector<walk::PgRowPlan::Column> columns;
    columns.reserve(types.size());
    for (const PgType* type : types) {
        columns.push_back({type, !plan.binary_results});
        plan.zoned = plan.zoned || depends_on_zone(*type);
    }
    return plan.rows->prepare(session.profile->module->pg_kinds, std::move(columns), std::move(names));
}

Ref text(std::string_view from) {
    return Ref::steal(PyUnicode_DecodeUTF8(from.data(), static_cast<Py_ssize_t>(from.size()), "surrogateescape"));
}

}  // namespace

StatementPlan* plan_of(PgSession& session, Statement& statement, std::vector<std::uint32_t>& unknown) {
    if (statement.plan) return static_cast<StatementPlan*>(statement.plan.get());
    const walk::PgTypes& known = *session.profile->types;
    auto plan = std::make_unique<StatementPlan>();
    std::vector<const PgType*> types;
    std::vector<Ref> names;
    for (std::uint32_t oid : statement.parameter_types) {
        const PgType* type = known.find(oid);
        if (type == nullptr) unknown.push_back(oid);
        plan->parameters.push_back(type);
        plan->binary_parameters = plan->binary_parameters && type != nullptr && type->binary;
    }
    for (const net::pg::Column& column : statement.columns) {
        const PgType* type = known.find(column.type);
        if (type == nullptr) {
            unknown.push_back(column.type);
            continue;
        }
        plan->binary_results = plan->binary_results && type->binary;
        types.push_back(type);
        names.push_back(text(column.name));
        if (!names.back()) return nullptr;
    }
    if (!unknown.empty() || !set_rows(session, *plan, types, std::move(names))) return nullptr;
    statement.plan = std::move(plan);
    return static_cast<StatementPlan*>(statement.plan.get());
}

std::unique_ptr<StatementPlan> plan_of_result(PgSession& session, const net::pg::Result& result) {
    auto plan = std::make_unique<StatementPlan>();
    std::vector<const PgType*> types;
    std::vector<Ref> names;
    for (int column = 0; column < result.columns(); ++column) {
        if (!result.column_binary(column)) plan->binary_results = false;
        types.push_back(&session.profile->types->get(result.column_type(column)));
        names.push_back(text(result.column_name(column)));
        if (!names.back()) return nullptr;
    }
    if (!set_rows(session, *plan, types, std::move(names))) return nullptr;
    return plan;
}

bool check_count(PgSession&, const StatementPlan& plan, Py_ssize_t given, long long row) {
    if (given == static_cast<Py_ssize_t>(plan.parameters.size())) return true;
    if (row < 0) {
        raise_psycopg("ProgrammingError", "the query has %zu parameters, %zd were given", plan.parameters.size(), given);
    } else {
        raise_psycopg("ProgrammingError", "row %lld: the query has %zu parameters, %zd were given", row,
                      plan.parameters.size(), given);
    }
    return false;
}

bool write_parameters(PgSession& session, const StatementPlan& plan, PyObject* const* values, long long row,
                      net::pg::Parameters& out) {
    walk::PgEncoding encoding = session.encoding();
    walk::PgOrigin origin;
    origin.row = row;
    if (BAREWIRE_LIKELY(plan.binary_parameters)) {
        const std::size_t from = out.bytes.size(), count = plan.parameters.size();
        if (!walk::pg_encode_fields(encoding, plan.parameters.data(), values, count, out.bytes, origin)) return false;
        if (out.add_fields(from, count)) return true;
        PyErr_NoMemory();
        return false;
    }
    for (std::size_t i = 0; i < plan.parameters.size(); ++i) {
        bool written;
        if (values[i] == Py_None) {
            written = out.add_null();
        } else {
            const PgType& type = *plan.parameters[i];
            const std::size_t from = out.bytes.size();
            origin.parameter = i + 1;
            if (!walk::pg_encode(encoding, type, values[i], out.bytes, origin)) return false;
            written = out.add(from, type.binary);
        }
        if (!written) {
            PyErr_NoMemory();
            return false;
        }
    }
    return true;
}

bool doubts_types(PgSession& session, net::pg::StatementUse& use) {
    if (use.fresh || use.once || PyErr_Occurred() == nullptr) return false;
    if (!PyErr_ExceptionMatches(session.profile->module->pg_kinds.data_error.get())) return false;
    use.doubted = use.statement->parameter_types;
    return true;
}

walk::PgCells cells_of(const net::pg::Result& result) noexcept {
    // A capture-less function: the source is the result itself.
    return {const_cast<net::pg::Result*>(&result), result.rows(),
            [](void* source, int row, int column, int& length) noexcept {
                return reinterpret_cast<const std::uint8_t*>(
                    static_cast<const net::pg::Result*>(source)->cell(row, column, length));
            }};
}

void raise_psycopg(const char* name, const char* format, ...) {
    va_list arguments;
    va_start(arguments, format);
    Ref message = Ref::steal(PyUnicode_FromFormatV(format, arguments));
    va_end(arguments);
    Ref module = message ? Ref::steal(PyImport_ImportModule("psycopg")) : Ref();
    Ref type = module ? Ref::steal(PyObject_GetAttrString(module.get(), name)) : Ref();
    if (type) PyErr_SetObject(type.get(), message.get());
}

}  // namespace barewire::bind
