// The frame of a native floor: clocks and the line protocol. No database and no operation lives here.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <sys/types.h>
#include <time.h>

namespace floor_bench {

struct Request {
    std::string operation;
    int size;      // rows or documents per operation, or in the collection asked
    int count;     // operations in this run
    int token;     // different in every run
    bool thorough; // look at the replies a second time, untimed, and send their digest
};

struct Times {
    std::int64_t wall;
    std::int64_t cpu;
    std::int64_t server;
};

// Reads wall, CPU of this process (all threads) and CPU of the server (its process, the child processes it has now and those
// it has waited for); nanoseconds.
class Stopwatch {
public:
    explicit Stopwatch(int server_pid) noexcept : server_pid_(server_pid) {}
    void start();
    [[nodiscard]] Times stop() const;

private:
    int server_pid_;
    Times before_{};
};

// What an operation answers: its times and "-" or a digest of what it met.
struct Answer {
    Times times{};
    std::string digest = "-";
    std::string error;
};

using Operations = std::map<std::string, std::function<Answer(const Request&)>>;

std::string one_line(std::string text);

// Answers requests from standard input until its end.
void serve(const Operations& operations);

} // namespace floor_bench
