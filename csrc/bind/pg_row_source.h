// barewire._core.PgRowSource: the rows of one iterable, taken in turns by the loads of several connections. No connection here.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "bind/state.h"
#include "py/python.h"
#include "py/ref.h"
#include "walk/bson_insert.h"

namespace barewire::bind {

// Rows [first, end) of the iterable, taken in one go; `returned`: how many rows of a result came back for them.
struct RowTake {
    std::size_t first, end, returned;
};

// What all parts share. One thread drives all their connections, so nothing is locked.
struct SharedRows {
    walk::DocumentSource source;
    bool taking = false;      // user code runs inside
    bool exhausted = false;   // the iterable is not asked again
    bool stopped = false;     // no part gets any more: one of them has failed
};

// One connection's share.
struct RowPart {
    std::shared_ptr<SharedRows> rows;
    std::vector<RowTake> takes;
};

// nullptr: the object is no PgRowSource.
RowPart* row_part_of(ModuleState& state, PyObject* object) noexcept;

// Around the taking of some rows for a part.
class RowTurn {
public:
    explicit RowTurn(RowPart& part) noexcept : part_(part) {}
    ~RowTurn();
    RowTurn(const RowTurn&) = delete;
    RowTurn& operator=(const RowTurn&) = delete;
    // False with a Python error set. With `joined` rows that follow the last ones make no take of their
    // own. May throw std::bad_alloc.
    [[nodiscard]] bool enter(bool joined);

private:
    RowPart& part_;
    std::size_t first_ = 0;
    bool entered_ = false, joined_ = false;
};

[[nodiscard]] bool add_pg_row_source(PyObject* module, ModuleState& state);

}  // namespace barewire::bind
