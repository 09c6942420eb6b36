// Rows of a result -> list of tuples, dicts, records or single values; where the cells come from is the caller's business.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "base/macros.h"
#include "py/python.h"
#include "py/ref.h"
#include "walk/pg_decode.h"

namespace barewire::walk {

enum class PgShape : std::uint8_t { tuples, dicts, records, first };

// One result, or a chunk of one, held by the caller.
struct PgCells {
    void* source;
    int rows;
    // Bytes of a cell, which stay valid during the call; `length` is -1 for NULL (the pointer is ignored then).
    const std::uint8_t* (*cell)(void* source, int row, int column, int& length);
};

// How the columns of one statement are decoded; made once and kept with the statement. Holds pointers into the registry.
class PgRowPlan {
public:
    struct Column {
        const PgType* type;
        bool text;  // the field has text format
        // The common kinds in place; filled in by `prepare`.
        enum class Way : std::uint8_t { any, by_text, boolean, int4, int8, float8, utf8 } way = Way::any;
    };

    // `names` are str objects, one per column; needed for dicts and records only. False with a Python error set.
    [[nodiscard]] bool prepare(PgKinds& kinds, std::vector<Column> columns, std::vector<py::Ref> names);
    std::size_t columns() const noexcept { return columns_.size(); }
    const std::vector<py::Ref>& names() const noexcept { return names_; }
    // Whether decoding a row may call functions of the user: then the garbage collector is left alone.
    bool may_run_user_code(const PgDecoding& decoding) const noexcept;

    // Appends all rows to a list, with the garbage collector paused. False with a Python error set; rows before it stay.
    [[nodiscard]] bool append_rows(PgDecoding& decoding, const PgCells& cells, PgShape shape, PyObject* list);
    // One row.
    py::Ref row(PgDecoding& decoding, const PgCells& cells, int row, PgShape shape);

private:
    PyObject* value(PgDecoding& decoding, const PgCells& cells, int row, int index, const Column& column);
    PyObject* tuple(PgDecoding& decoding, const PgCells& cells, int row);
    PyObject* dict(PgDecoding& decoding, const PgCells& cells, int row);
    PyObject* record(PgDecoding& decoding, const PgCells& cells, int row);
    PyObject* any(PgDecoding& decoding, const PgCells& cells, int row, PgShape shape);
    BAREWIRE_COLD bool make_pattern();

    std::vector<Column> columns_;
    std::vector<py::Ref> names_;
    bool atoms_ = false;      // no value can be part of a reference cycle
    bool user_code_ = false;  // factories, or text loaders
    bool json_ = false;       // a function of the session may be called
    bool zoned_ = false;      // the session's zone is asked
    py::Ref pattern_;         // dict of all names with None, cloned per row where the layout of dicts is known
    bool pattern_tried_ = false;
    py::Ref keys_;            // what records share, see pg_record.h
};

}  // namespace barewire::walk
