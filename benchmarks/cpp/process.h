// The frame of a native floor: clocks, the line protocol, the connection. No operation lives here.
#pragma once

#include <mongoc/mongoc.h>

#include <cstdint>
#include <string>

namespace floor_bench {

struct Request {
    std::string operation;
    int size;      // documents per operation, or documents in the collection asked
    int count;     // operations in this run
    int token;     // different in every run
    bool thorough; // walk over the replies a second time, untimed, and send their digest
};

struct Times {
    std::int64_t wall;
    std::int64_t cpu;
    std::int64_t server;
};

// Reads wall, CPU of this process (all threads) and CPU of the server process; nanoseconds.
class Stopwatch {
public:
    explicit Stopwatch(int server_pid) noexcept;
    void start() noexcept { before_ = read(); }
    [[nodiscard]] Times stop() const noexcept;

private:
    [[nodiscard]] Times read() const noexcept;
    clockid_t server_clock_ = 0;
    bool has_server_ = false;
    Times before_{};
};

// What an operation answers: its times and "-" or "count:sum of CRC-32" of the documents it met.
struct Answer {
    Times times{};
    std::string digest = "-";
    std::string error;
};

struct Session {
    mongoc_client_pool_t* pool;
    mongoc_client_t* client;
    std::string uri;
    std::string database;
    std::string collection;
    int server_pid;
};

// Order-independent digest of documents, the same that the Python side computes.
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
