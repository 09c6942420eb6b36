// Which statements a connection knows, least recently used ones at the end, and under which names the server knows them.
// Sending may not live here.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "net/pg/statement.h"

namespace barewire::net::pg {

// Keyed by a 128-bit hash of text and fixed parameter types, verified by equality.
class StatementCache {
public:
    StatementCache() noexcept = default;
    StatementCache(const StatementCache&) = delete;
    StatementCache& operator=(const StatementCache&) = delete;
    ~StatementCache();

    // Most statements kept; 0: none on the server, and each is described again (default 100). Takes effect at the next use.
    std::size_t size_limit = 100;
    // Statements with longer text are not kept on the server (default: no limit).
    std::size_t text_limit = static_cast<std::size_t>(-1);
    // False (for poolers that move a connection to another server process between statements): nothing is kept on the
    // server; the descriptions are remembered here and the text is sent every time.
    bool on_server = true;

    // Finds or makes the statement, and pins it until release(). nullptr: out of memory.
    Statement* acquire(const StatementKey& key) noexcept;
    // A statement of its own, outside the cache; for `once`.
    Statement* make(const StatementKey& key) noexcept;
    void retain(Statement& statement) noexcept { ++statement.uses_; }
    void release(Statement& statement) noexcept;

    bool keeps(const Statement& statement) const noexcept {
        return on_server && statement.cached_ && statement.text.size() <= text_limit;
    }
    // Gives it a name for the server; empty when it is not to be kept there.
    [[nodiscard]] bool name(Statement& statement) noexcept;
    // The server does not know it (any more), or knows something else: described again at the next use.
    void invalidate(Statement& statement) noexcept;
    // DISCARD ALL or DEALLOCATE ALL was seen: no name is valid.
    void forget_names() noexcept;
    // Everything goes, as the connection ends.
    void clear() noexcept;
    // Moves all plans away, because they must not be destroyed where the connection is closed. False: out of memory; the
    // plans that could not be moved are leaked.
    bool take_plans(std::vector<std::unique_ptr<Plan>>& to) noexcept;

    // Names that were evicted and are to be closed on the server.
    std::vector<std::string> to_close;

    std::size_t size() const noexcept { return size_; }
    // How many of them the server knows.
    std::size_t prepared() const noexcept;
    std::uint64_t hits = 0, misses = 0;

private:
    Statement* find(const StatementKey& key, const base::Hash128& hash) const noexcept;
    void link_newest(Statement& statement) noexcept;
    void unlink(Statement& statement) noexcept;
    void evict(Statement& statement) noexcept;
    void close_later(Statement& statement) noexcept;
    [[nodiscard]] bool grow() noexcept;

    std::vector<Statement*> slots_;   // chained by Statement::same_slot_; a power of two
    Statement *newest_ = nullptr, *oldest_ = nullptr;
    std::size_t size_ = 0;
    std::uint64_t next_name_ = 1;
    std::string prefix_;
};

}  // namespace barewire::net::pg
