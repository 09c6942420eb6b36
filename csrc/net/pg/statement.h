// A statement as the server has described it. Which connection has prepared what lives in statement_cache.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/hash.h"

namespace barewire::net::pg {

struct Column {
    std::string name;
    std::uint32_t type = 0;      // oid
    int modifier = -1;           // typmod
    std::uint32_t table = 0;     // oid of the table it comes from, 0: none
    int table_column = 0;
};

// What the layer above wants to remember with a statement: its decoders, its names. Destroyed with the statement: when it
// is evicted or its connection ends, on the thread that uses the connection then.
class Plan {
public:
    virtual ~Plan() = default;
};

// The text and the parameter types that the caller fixes; equal keys mean equal statements. Both are the caller's and live
// as long as the operation.
struct StatementKey {
    const char* text = nullptr;             // UTF-8, ended by NUL
    std::size_t size = 0;
    const std::uint32_t* types = nullptr;   // oids, 0: the server decides; shorter than the number of parameters is fine
    std::size_t type_count = 0;
};

// Belongs to the cache of one connection. An operation that uses it keeps it from being destroyed.
class Statement {
public:
    std::string text;
    std::vector<std::uint32_t> fixed_types;   // part of the key
    base::Hash128 hash{};

    bool described = false;
    std::vector<std::uint32_t> parameter_types;
    std::vector<Column> columns;              // empty: returns no rows
    std::unique_ptr<Plan> plan;               // of the layer above

    // The description may be out of date: compared with each result.
    bool unsure = false;
    // "" while the server does not know it under a name.
    std::string name;
    std::uint32_t version = 0;                // of the name: grows each time the server is told one
    // How many rows it gave last: decides whether rows are taken in parts next time.
    std::uint32_t last_rows = 0;
    bool executed = false;

private:
    friend class StatementCache;
    Statement *newer_ = nullptr, *older_ = nullptr, *same_slot_ = nullptr;
    std::uint32_t uses_ = 0;
    bool cached_ = false;
};

}  // namespace barewire::net::pg
