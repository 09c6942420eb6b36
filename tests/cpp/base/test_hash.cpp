// Tests of base/hash: equal bytes hash equal, near misses do not collide in a small table.
#include "base/hash.h"

#include <set>
#include <string>

#include "support/catch.h"

using barewire::base::hash_bytes;

TEST_CASE("the hash depends on content and length only") {
    std::string first = "collection", second = "collection";
    REQUIRE(hash_bytes(first.data(), first.size()) == hash_bytes(second.data(), second.size()));
    REQUIRE(hash_bytes("ab\0", 2) != hash_bytes("ab\0", 3));
}

TEST_CASE("short keys that differ in one digit are spread") {
    std::set<std::uint64_t> seen;
    for (int i = 0; i < 1000; ++i) {
        std::string key = "field" + std::to_string(i);
        seen.insert(hash_bytes(key.data(), key.size()));
    }
    REQUIRE(seen.size() == 1000);
}
