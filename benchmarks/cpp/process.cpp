// Clocks, digest and the loop that answers the harness. Operations live in their own files.
//
// usage: mongo_floor URI DATABASE COLLECTION SERVER_PID
// in:    run OPERATION SIZE COUNT TOKEN THOROUGH
// out:   ready VERSION | sample WALL_NS CPU_NS SERVER_NS DIGEST | error TEXT
#include "process.h"

#include <time.h>
#include <zlib.h>

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <map>
#include <sstream>

namespace floor_bench {

namespace {

std::int64_t nanoseconds(clockid_t clock) noexcept {
    timespec now{};
    clock_gettime(clock, &now);
    return std::int64_t{now.tv_sec} * 1'000'000'000 + now.tv_nsec;
}

} // namespace

Stopwatch::Stopwatch(int server_pid) noexcept {
    has_server_ = server_pid > 0 && clock_getcpuclockid(server_pid, &server_clock_) == 0;
}

Times Stopwatch::read() const noexcept {
    return {nanoseconds(CLOCK_MONOTONIC), nanoseconds(CLOCK_PROCESS_CPUTIME_ID),
            has_server_ ? nanoseconds(server_clock_) : 0};
}

Times Stopwatch::stop() const noexcept {
    const Times now = read();
    return {now.wall - before_.wall, now.cpu - before_.cpu, now.server - before_.server};
}

void Digest::add(const bson_t* document) noexcept {
    ++count_;
    sum_ += crc32(0, bson_get_data(document), document->len);
}

} // namespace floor_bench

namespace {

using namespace floor_bench;
using Operation = Answer (*)(Session&, const Request&);

const std::map<std::string, Operation> kOperations = {
    {"ping", run_ping},
    {"find_one", run_find_one},
    {"find_one_threads", run_find_one_threads},
    {"find", run_find},
    {"insert_one", run_insert_one},
    {"update_one", run_update_one},
    {"insert_many", run_insert_many},
    {"insert_many_unsafe", run_insert_many_unsafe},
};

std::string one_line(std::string text) {
    std::replace(text.begin(), text.end(), '\n', ' ');
    return text;
}

void answer(Session& session, const std::string& line) {
    std::istringstream words(line);
    std::string run;
    Request request{};
    int thorough = 0;
    words >> run >> request.operation >> request.size >> request.count >> request.token >> thorough;
    request.thorough = thorough != 0;
    const auto found = kOperations.find(request.operation);
    if (!words || run != "run" || found == kOperations.end()) {
        std::cout << "error not understood: " << one_line(line) << std::endl;
        return;
    }
    const Answer result = found->second(session, request);
    if (!result.error.empty()) {
        std::cout << "error " << one_line(result.error) << std::endl;
        return;
    }
    std::cout << "sample " << result.times.wall << ' ' << result.times.cpu << ' ' << result.times.server << ' '
              << result.digest << std::endl;
}

} // namespace

int main(int argc, char** argv) {
    if (argc != 5) {
        std::cout << "error usage: mongo_floor URI DATABASE COLLECTION SERVER_PID" << std::endl;
        return 2;
    }
    mongoc_init();
    bson_error_t error;
    mongoc_uri_t* uri = mongoc_uri_new_with_error(argv[1], &error);
    if (uri == nullptr) {
        std::cout << "error " << one_line(error.message) << std::endl;
        return 2;
    }
    mongoc_client_pool_t* pool = mongoc_client_pool_new(uri);
    mongoc_client_pool_set_error_api(pool, MONGOC_ERROR_API_VERSION_2);
    mongoc_client_t* client = mongoc_client_pool_pop(pool);
    Session session{pool, client, argv[1], argv[2], argv[3], std::atoi(argv[4])};
    const Answer first = run_ping(session, {"ping", 0, 1, 0, false});
    if (!first.error.empty()) {
        std::cout << "error " << one_line(first.error) << std::endl;
    } else {
        std::cout << "ready " << mongoc_get_version() << std::endl;
        for (std::string line; std::getline(std::cin, line);) {
            answer(session, line);
        }
    }
    mongoc_client_pool_push(pool, client);
    mongoc_client_pool_destroy(pool);
    mongoc_uri_destroy(uri);
    mongoc_cleanup();
    return first.error.empty() ? 0 : 1;
}
