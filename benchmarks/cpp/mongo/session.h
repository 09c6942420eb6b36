// What every operation on MongoDB gets: the connection and the digest of documents. No operation lives here.
#pragma once

#include <mongoc/mongoc.h>

#include <cstdint>
#include <string>

#include "../frame.h"

namespace floor_bench {

struct Session {
    mongoc_client_pool_t* pool;
    mongoc_client_t* client;
    std::string uri;
    std::string database;
    std::string collection;
    int server_pid;
};

// Order-independent digest of documents, the same that the Python side computes: "count:sum of CRC-32".
class Digest {
public:
    void add(const bson_t* document) noexcept;
    void merge(const Digest& other) noexcept { count_ += other.count_, sum_ += other.sum_; }
    [[nodiscard]] std::string text() const { return std::to_string(count_) + ":" + std::to_string(sum_); }

private:
    std::uint64_t count_ = 0;
    std::uint64_t sum_ = 0;
};

Answer run_ping(Session& session, const Request& request);
Answer run_find_one(Session& session, const Request& request);
Answer run_find_one_threads(Session& session, const Request& request);
Answer run_find(Session& session, const Request& request);
Answer run_insert_one(Session& session, const Request& request);
Answer run_update_one(Session& session, const Request& request);
Answer run_insert_many(Session& session, const Request& request);
Answer run_insert_many_unsafe(Session& session, const Request& request);

} // namespace floor_bench
