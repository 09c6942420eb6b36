// Reading of results through libpq's table. Nothing about connections may live here.
#include "net/pg/result.h"

#include <cstdlib>
#include <cstring>

#include "net/pg/libpq.h"

namespace barewire::net::pg {

namespace {

constexpr int tuples_chunk = 12;   // PGRES_TUPLES_CHUNK, from libpq 17 on

std::string_view view(const char* text) noexcept { return text ? std::string_view(text) : std::string_view(); }

}  // namespace

static_assert(sizeof(CellData) == 16 || sizeof(void*) != 8, "as libpq lays out PGresAttValue");

Result::Result(const ResultFunctions& functions, const pg_result* result, const pg_result* tagged) noexcept
    : functions_(functions), result_(result), tagged_(tagged ? tagged : result) {
    const auto& libpq = static_cast<const Libpq&>(functions);
    switch (static_cast<int>(libpq.PQresultStatus_(result))) {
        case PGRES_TUPLES_OK: kind_ = ResultKind::rows; break;
        case PGRES_SINGLE_TUPLE:
        case tuples_chunk: kind_ = ResultKind::rows_part; break;
        case PGRES_COMMAND_OK:
        case PGRES_COPY_IN:
        case PGRES_COPY_OUT: kind_ = ResultKind::command; break;
        case PGRES_EMPTY_QUERY: kind_ = ResultKind::empty; break;
        default: kind_ = ResultKind::error; break;
    }
    if (kind_ != ResultKind::rows && kind_ != ResultKind::rows_part) return;
    rows_ = libpq.PQntuples_(result);
    columns_ = libpq.PQnfields_(result);
    if (!functions.rows_in_place || rows_ == 0) return;
    // Behind two ints and a pointer; the self test of the library has looked.
    std::memcpy(&in_place_, reinterpret_cast<const char*>(result) + 8 + sizeof(void*), sizeof in_place_);
}

std::string_view Result::column_name(int column) const noexcept {
    return view(static_cast<const Libpq&>(functions_).PQfname_(result_, column));
}

std::uint32_t Result::column_type(int column) const noexcept {
    return static_cast<const Libpq&>(functions_).PQftype_(result_, column);
}

int Result::column_modifier(int column) const noexcept {
    return static_cast<const Libpq&>(functions_).PQfmod_(result_, column);
}

std::uint32_t Result::column_table(int column) const noexcept {
    return static_cast<const Libpq&>(functions_).PQftable_(result_, column);
}

bool Result::column_binary(int column) const noexcept {
    return static_cast<const Libpq&>(functions_).PQfformat_(result_, column) == 1;
}

std::string_view Result::command_tag() const noexcept {
    if (!complete()) return {};
    return view(static_cast<const Libpq&>(functions_).PQcmdStatus_(const_cast<pg_result*>(tagged_)));
}

std::int64_t Result::affected() const noexcept {
    if (!complete()) return -1;
    const char* text = static_cast<const Libpq&>(functions_).PQcmdTuples_(const_cast<pg_result*>(tagged_));
    return text && *text ? std::strtoll(text, nullptr, 10) : -1;
}

std::string_view Result::error_field(ErrorField field) const noexcept {
    return view(static_cast<const Libpq&>(functions_).PQresultErrorField_(result_, static_cast<int>(field)));
}

std::string_view Result::error_message() const noexcept {
    return view(static_cast<const Libpq&>(functions_).PQresultErrorMessage_(result_));
}

}  // namespace barewire::net::pg
