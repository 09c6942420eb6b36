// The 6-field documents and their identifiers, as benchmarks/data/users.py makes them; built before any clock starts.
#pragma once

#include <bson/bson.h>

#include <memory>
#include <vector>

namespace floor_bench {

struct FreeBson {
    void operator()(bson_t* document) const noexcept { bson_destroy(document); }
};
using Bson = std::unique_ptr<bson_t, FreeBson>;

// The _id under which user number `index` is stored in the collections that are read.
bson_oid_t identifier(int index) noexcept;

// Index of the step-th visit among `of` users; scattered, each user once per round.
inline int visit(int step, int of) noexcept {
    return static_cast<int>((static_cast<long long>(step) * 7919) % of);
}

// {_id: fixed}
Bson filter(int index);

// User number `index` with a new _id.
Bson user(int index);

std::vector<Bson> users(int count);

// Borrowed pointers to documents [from, to), as libmongoc's bulk calls want them.
std::vector<const bson_t*> pointers(const std::vector<Bson>& documents);

} // namespace floor_bench
