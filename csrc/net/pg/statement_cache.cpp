// The hash table and the order of use of a connection's statements. Sending may not live here.
#include "net/pg/statement_cache.h"

#include <chrono>
#include <cstdint>
#include <cstring>
#include <exception>
#include <new>
#include <random>
#include <string>

namespace barewire::net::pg {

namespace {

base::Hash128 hash_of(const StatementKey& key) noexcept {
    const base::Hash128 text = base::hash_bytes_wide(key.text, key.size);
    if (key.type_count == 0) return text;
    const base::Hash128 types = base::hash_bytes_wide(key.types, key.type_count * sizeof *key.types, text.low);
    return {types.low, types.high ^ text.high};
}

bool equal(const Statement& statement, const StatementKey& key) noexcept {
    return statement.text.size() == key.size && statement.fixed_types.size() == key.type_count &&
           std::memcmp(statement.text.data(), key.text, key.size) == 0 &&
           (key.type_count == 0 ||
            std::memcmp(statement.fixed_types.data(), key.types, key.type_count * sizeof *key.types) == 0);
}

// Of this cache's names on the server: no other session has them. Behind a pooler sessions meet each other's statements; one
// of the same name would be run in place of ours.
std::string new_prefix() {
    std::uint64_t bits = 0;
    try {
        std::random_device random;
        bits = std::uint64_t{random()} << 32 | random();
    } catch (const std::exception&) {
        bits = static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count()) * 0x9e3779b97f4a7c15;
    }
    std::string made = "barewire_";
    for (int digit = 0; digit < 12; ++digit, bits >>= 4) made += "0123456789abcdef"[bits & 15];
    return made + '_';
}

}  // namespace

StatementCache::~StatementCache() { clear(); }

Statement* StatementCache::find(const StatementKey& key, const base::Hash128& hash) const noexcept {
    if (slots_.empty()) return nullptr;
    for (Statement* each = slots_[hash.low & (slots_.size() - 1)]; each; each = each->same_slot_) {
        if (each->hash == hash && equal(*each, key)) return each;
    }
    return nullptr;
}

Statement* StatementCache::make(const StatementKey& key) noexcept {
    try {
        auto statement = std::make_unique<Statement>();
        statement->text.assign(key.text, key.size);
        if (key.type_count) statement->fixed_types.assign(key.types, key.types + key.type_count);
        statement->uses_ = 1;
        return statement.release();
    } catch (const std::bad_alloc&) {
        return nullptr;
    }
}

Statement* StatementCache::acquire(const StatementKey& key) noexcept {
    const base::Hash128 hash = hash_of(key);
    if (Statement* found = find(key, hash)) {
        ++hits;
        if (found != newest_) {
            unlink(*found);
            link_newest(*found);
        }
        ++found->uses_;
        return found;
    }
    ++misses;
    Statement* statement = make(key);
    if (!statement) return nullptr;
    statement->hash = hash;
    if (size_limit == 0 || !grow()) return statement;   // lives as long as it is in use
    // Those in use leave the table too, and are destroyed when they are released.
    while (size_ >= size_limit) evict(*oldest_);
    Statement*& slot = slots_[hash.low & (slots_.size() - 1)];
    statement->same_slot_ = slot;
    slot = statement;
    statement->cached_ = true;
    link_newest(*statement);
    ++size_;
    return statement;
}

void StatementCache::release(Statement& statement) noexcept {
    if (--statement.uses_ != 0 || statement.cached_) return;
    close_later(statement);
    delete &statement;
}

bool StatementCache::name(Statement& statement) noexcept {
    if (!keeps(statement)) return true;
    try {
        if (prefix_.empty()) prefix_ = new_prefix();
        statement.name = prefix_ + std::to_string(next_name_);
    } catch (const std::bad_alloc&) {
        return false;
    }
    ++next_name_;
    ++statement.version;
    return true;
}

void StatementCache::invalidate(Statement& statement) noexcept {
    close_later(statement);
    statement.described = false;
    statement.plan.reset();
}

void StatementCache::close_later(Statement& statement) noexcept {
    if (statement.name.empty()) return;
    try {
        to_close.push_back(std::move(statement.name));
    } catch (const std::bad_alloc&) {
        // Stays on the server until the connection ends.
    }
    statement.name.clear();
}

void StatementCache::forget_names() noexcept {
    for (Statement* each = newest_; each; each = each->older_) each->name.clear();
    to_close.clear();
}

std::size_t StatementCache::prepared() const noexcept {
    std::size_t count = 0;
    for (const Statement* each = newest_; each; each = each->older_) count += each->name.empty() ? 0 : 1;
    return count;
}

void StatementCache::clear() noexcept {
    while (oldest_) {
        oldest_->name.clear();
        evict(*oldest_);
    }
    to_close.clear();
}

bool StatementCache::take_plans(std::vector<std::unique_ptr<Plan>>& to) noexcept {
    bool all = true;
    for (Statement* each = newest_; each; each = each->older_) {
        if (!each->plan) continue;
        try {
            to.emplace_back();
            to.back() = std::move(each->plan);
        } catch (const std::bad_alloc&) {
            (void)each->plan.release();
            all = false;
        }
    }
    return all;
}

void StatementCache::link_newest(Statement& statement) noexcept {
    statement.older_ = newest_;
    statement.newer_ = nullptr;
    (newest_ ? newest_->newer_ : oldest_) = &statement;
    newest_ = &statement;
}

void StatementCache::unlink(Statement& statement) noexcept {
    (statement.newer_ ? statement.newer_->older_ : newest_) = statement.older_;
    (statement.older_ ? statement.older_->newer_ : oldest_) = statement.newer_;
    statement.newer_ = statement.older_ = nullptr;
}

void StatementCache::evict(Statement& statement) noexcept {
    unlink(statement);
    for (Statement** link = &slots_[statement.hash.low & (slots_.size() - 1)]; *link; link = &(*link)->same_slot_) {
        if (*link != &statement) continue;
        *link = statement.same_slot_;
        break;
    }
    statement.same_slot_ = nullptr;
    statement.cached_ = false;
    --size_;
    if (statement.uses_ != 0) return;
    close_later(statement);
    delete &statement;
}

bool StatementCache::grow() noexcept {
    if (size_ < slots_.size()) return true;
    try {
        std::vector<Statement*> larger(slots_.empty() ? 16 : slots_.size() * 2, nullptr);
        for (Statement* each = oldest_; each; each = each->newer_) {
            Statement*& slot = larger[each->hash.low & (larger.size() - 1)];
            each->same_slot_ = slot;
            slot = each;
        }
        slots_.swap(larger);
        return true;
    } catch (const std::bad_alloc&) {
        return !slots_.empty();
    }
}

}  // namespace barewire::net::pg
