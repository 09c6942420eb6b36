// One result of the server, or a part of one, as the layers above see it: cells, columns, the command's tag, the fields of
// an error. No connection may live here, and no header of libpq.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>

struct pg_result;   // libpq's PGresult

namespace barewire::net::pg {

// What libpq's PGresult keeps for each cell, in every release so far. `length` is -1 for NULL.
struct CellData {
    int length;
    const char* data;
};

// The part of the library's table that reading a result needs.
struct ResultFunctions {
    char* (*get_value)(const pg_result*, int, int) = nullptr;
    int (*get_length)(const pg_result*, int, int) = nullptr;
    int (*get_is_null)(const pg_result*, int, int) = nullptr;
    void (*clear)(pg_result*) = nullptr;
    // Whether rows can be read in place; found out by a self test when the library is loaded.
    bool rows_in_place = false;
};

enum class ResultKind : std::uint8_t {
    rows_part,   // some rows; more follow
    rows,        // rows and the end of the command (perhaps no row: then the parts before were all)
    command,     // the end of a command without rows
    empty,       // the statement had no command in it
    error,
};

// One field of an error or a notice; the values are those of the protocol.
enum class ErrorField : char {
    severity = 'S', severity_not_localized = 'V', sqlstate = 'C', message_primary = 'M', message_detail = 'D',
    message_hint = 'H', statement_position = 'P', internal_position = 'p', internal_query = 'q', context = 'W',
    schema_name = 's', table_name = 't', column_name = 'c', datatype_name = 'd', constraint_name = 'n',
    source_file = 'F', source_line = 'L', source_function = 'R',
};

// A view: valid during the call that it is passed to.
class Result {
public:
    // `tagged`: an earlier part of the same result that has the command's tag, where libpq puts it there.
    Result(const ResultFunctions& functions, const pg_result* result, const pg_result* tagged = nullptr) noexcept;

    ResultKind kind() const noexcept { return kind_; }
    // Nothing more comes for this statement after it.
    bool complete() const noexcept { return kind_ != ResultKind::rows_part; }
    int rows() const noexcept { return rows_; }
    int columns() const noexcept { return columns_; }

    // The bytes of a cell; `length` is -1 for NULL.
    const char* cell(int row, int column, int& length) const noexcept {
        if (const CellData* cells = row_cells(row)) {
            length = cells[column].length;
            return cells[column].data;
        }
        length = functions_.get_is_null(result_, row, column) ? -1 : functions_.get_length(result_, row, column);
        return functions_.get_value(result_, row, column);
    }
    // The cells of a row side by side, or nullptr when they cannot be read in place: use cell() then.
    const CellData* row_cells(int row) const noexcept { return in_place_ ? in_place_[row] : nullptr; }

    // Columns. A name is valid as long as the result.
    std::string_view column_name(int column) const noexcept;
    std::uint32_t column_type(int column) const noexcept;
    int column_modifier(int column) const noexcept;
    std::uint32_t column_table(int column) const noexcept;   // oid, 0: none
    bool column_binary(int column) const noexcept;

    // "INSERT 0 1"; empty for rows_part and errors.
    std::string_view command_tag() const noexcept;
    // Rows that the command says it touched, -1: it says nothing.
    std::int64_t affected() const noexcept;

    // Errors and notices. Empty when the server did not send the field.
    std::string_view error_field(ErrorField field) const noexcept;
    // libpq's own text, with severity and position.
    std::string_view error_message() const noexcept;

    const pg_result* raw() const noexcept { return result_; }

private:
    const ResultFunctions& functions_;
    const pg_result* result_;
    const pg_result* tagged_;
    const CellData* const* in_place_ = nullptr;
    int rows_ = 0, columns_ = 0;
    ResultKind kind_;
};

// Owns a PGresult; keeps an error after the operation.
class OwnedResult {
public:
    OwnedResult() noexcept = default;
    OwnedResult(const ResultFunctions& functions, pg_result* result) noexcept : functions_(&functions), result_(result) {}
    OwnedResult(OwnedResult&& other) noexcept
        : functions_(other.functions_), result_(std::exchange(other.result_, nullptr)) {}
    OwnedResult& operator=(OwnedResult&& other) noexcept {
        std::swap(functions_, other.functions_);
        std::swap(result_, other.result_);
        return *this;
    }
    ~OwnedResult() { reset(); }

    void reset() noexcept {
        if (result_) functions_->clear(std::exchange(result_, nullptr));
    }
    explicit operator bool() const noexcept { return result_ != nullptr; }
    // Only when it holds one.
    Result view() const noexcept { return Result(*functions_, result_); }
    const pg_result* raw() const noexcept { return result_; }
    // For an object that takes it over (psycopg's PGresult).
    pg_result* release() noexcept { return std::exchange(result_, nullptr); }

private:
    const ResultFunctions* functions_ = nullptr;
    pg_result* result_ = nullptr;
};

}  // namespace barewire::net::pg
