// Connection, digest and the table of operations, which live in their own files.
//
// usage: mongo_floor URI DATABASE COLLECTION SERVER_PID      (then as in ../frame.cpp)
#include <zlib.h>

#include <cstdlib>
#include <iostream>

#include "session.h"

namespace floor_bench {

void Digest::add(const bson_t* document) noexcept {
    ++count_;
    sum_ += crc32(0, bson_get_data(document), document->len);
}

} // namespace floor_bench

int main(int argc, char** argv) {
    using namespace floor_bench;
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
        const auto on = [&session](Answer (*operation)(Session&, const Request&)) {
            return [&session, operation](const Request& request) { return operation(session, request); };
        };
        serve({
            {"ping", on(run_ping)},
            {"find_one", on(run_find_one)},
            {"find_one_threads", on(run_find_one_threads)},
            {"find", on(run_find)},
            {"insert_one", on(run_insert_one)},
            {"update_one", on(run_update_one)},
            {"insert_many", on(run_insert_many)},
            {"insert_many_unsafe", on(run_insert_many_unsafe)},
        });
    }
    mongoc_client_pool_push(pool, client);
    mongoc_client_pool_destroy(pool);
    mongoc_uri_destroy(uri);
    mongoc_cleanup();
    return first.error.empty() ? 0 : 1;
}
