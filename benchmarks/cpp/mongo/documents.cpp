// Builds the 6-field documents; must stay equal to benchmarks/data/users.py, which every run checks by digest.
#include "documents.h"

#include <cstring>
#include <string>

namespace floor_bench {

namespace {

constexpr const char* kCities[] = {"Amsterdam", "Berlin", "Lisbon", "Prague", "Vienna"};

} // namespace

bson_oid_t identifier(int index) noexcept {
    bson_oid_t oid;
    std::memcpy(oid.bytes, "\x65\x00\x00\x00" "bench", 9);
    oid.bytes[9] = static_cast<std::uint8_t>(index >> 16);
    oid.bytes[10] = static_cast<std::uint8_t>(index >> 8);
    oid.bytes[11] = static_cast<std::uint8_t>(index);
    return oid;
}

Bson filter(int index) {
    Bson document(bson_new());
    const bson_oid_t oid = identifier(index);
    bson_append_oid(document.get(), "_id", 3, &oid);
    return document;
}

Bson user(int index) {
    Bson document(bson_new());
    bson_oid_t oid;
    bson_oid_init(&oid, nullptr);
    const std::string number = std::to_string(index);
    bson_append_oid(document.get(), "_id", 3, &oid);
    bson_append_utf8(document.get(), "name", -1, ("User" + number).c_str(), -1);
    bson_append_utf8(document.get(), "email", -1, ("user" + number + "@example.com").c_str(), -1);
    bson_append_int32(document.get(), "age", -1, 20 + index % 50);
    bson_append_utf8(document.get(), "city", -1, kCities[index % 5], -1);
    bson_append_double(document.get(), "score", -1, index * 1.5);
    bson_append_bool(document.get(), "active", -1, index % 2 == 0);
    return document;
}

std::vector<Bson> users(int count) {
    std::vector<Bson> documents;
    documents.reserve(static_cast<std::size_t>(count));
    for (int index = 0; index < count; ++index) {
        documents.push_back(user(index));
    }
    return documents;
}

std::vector<const bson_t*> pointers(const std::vector<Bson>& documents) {
    std::vector<const bson_t*> borrowed;
    borrowed.reserve(documents.size());
    for (const Bson& document : documents) {
        borrowed.push_back(document.get());
    }
    return borrowed;
}

} // namespace floor_bench
