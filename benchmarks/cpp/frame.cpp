// Clocks and the loop that answers the harness.
//
// in:    run OPERATION SIZE COUNT TOKEN THOROUGH
// out:   ready VERSION | sample WALL_NS CPU_NS SERVER_NS DIGEST | error TEXT
#include "frame.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iostream>
#include <sstream>

namespace floor_bench {

namespace {

std::int64_t nanoseconds(clockid_t clock) noexcept {
    timespec now{};
    clock_gettime(clock, &now);
    return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

std::int64_t process_nanoseconds(pid_t pid) noexcept {
    clockid_t clock{};
    return clock_getcpuclockid(pid, &clock) == 0 ? nanoseconds(clock) : 0;
}

// CPU of child processes that have ended and were waited for: fields 16 and 17 of /proc/PID/stat.
std::int64_t waited_nanoseconds(const std::string& folder) {
    std::ifstream file(folder + "/stat");
    std::string text((std::istreambuf_iterator<char>(file)), {});
    std::istringstream fields(text.substr(std::min(text.size(), text.rfind(')') + 2)));
    std::string skipped;
    for (int field = 3; field < 16; ++field) {
        fields >> skipped;
    }
    std::int64_t user = 0;
    std::int64_t system = 0;
    fields >> user >> system;
    return (user + system) * (1'000'000'000 / sysconf(_SC_CLK_TCK));
}

std::int64_t server_nanoseconds(int pid) {
    if (pid <= 0) {
        return 0;
    }
    const std::string folder = "/proc/" + std::to_string(pid);
    std::int64_t sum = process_nanoseconds(pid) + waited_nanoseconds(folder);
    std::ifstream children(folder + "/task/" + std::to_string(pid) + "/children");
    for (pid_t child = 0; children >> child;) {
        sum += process_nanoseconds(child);
    }
    return sum;
}

void answer(const Operations& operations, const std::string& line) {
    std::istringstream words(line);
    std::string run;
    Request request{};
    int thorough = 0;
    words >> run >> request.operation >> request.size >> request.count >> request.token >> thorough;
    request.thorough = thorough != 0;
    const auto found = operations.find(request.operation);
    if (!words || run != "run" || found == operations.end()) {
        std::cout << "error not understood: " << one_line(line) << std::endl;
        return;
    }
    const Answer result = found->second(request);
    if (!result.error.empty()) {
        std::cout << "error " << one_line(result.error) << std::endl;
        return;
    }
    std::cout << "sample " << result.times.wall << ' ' << result.times.cpu << ' ' << result.times.server << ' '
              << result.digest << std::endl;
}

} // namespace

void Stopwatch::start() {
    // The server's clocks take a moment to read: they stay outside of the wall time on both sides.
    before_.server = server_nanoseconds(server_pid_);
    before_.cpu = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
    before_.wall = nanoseconds(CLOCK_MONOTONIC);
}

Times Stopwatch::stop() const {
    const std::int64_t wall = nanoseconds(CLOCK_MONOTONIC);
    const std::int64_t cpu = nanoseconds(CLOCK_PROCESS_CPUTIME_ID);
    return {wall - before_.wall, cpu - before_.cpu, server_nanoseconds(server_pid_) - before_.server};
}

std::string one_line(std::string text) {
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text;
}

void serve(const Operations& operations) {
    for (std::string line; std::getline(std::cin, line);) {
        answer(operations, line);
    }
}

} // namespace floor_bench
