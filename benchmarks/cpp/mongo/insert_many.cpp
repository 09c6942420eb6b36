// Floors of bulk inserts with prebuilt BSON: one ordered call, and the trusted load on two connections.
#include <algorithm>
#include <atomic>
#include <thread>

#include "collection.h"
#include "documents.h"

namespace floor_bench {

namespace {

constexpr std::size_t kConnections = 2;
constexpr std::size_t kChunk = 2'000;

// A client as insert_many_unsafe drives it: no transaction numbers. Made once, like the connections of a Python peer.
mongoc_client_pool_t* pool_without_retries(const Session& session) {
    static mongoc_client_pool_t* pool = nullptr;
    if (pool == nullptr) {
        mongoc_uri_t* uri = mongoc_uri_new(session.uri.c_str());
        mongoc_uri_set_option_as_bool(uri, MONGOC_URI_RETRYWRITES, false);
        pool = mongoc_client_pool_new(uri);
        mongoc_client_pool_set_error_api(pool, MONGOC_ERROR_API_VERSION_2);
        mongoc_uri_destroy(uri);
    }
    return pool;
}

} // namespace

Answer run_insert_many(Session& session, const Request& request) {
    const Collection collection = open_collection(session.client, session);
    const std::vector<Bson> documents = users(request.size);
    const std::vector<const bson_t*> borrowed = pointers(documents);
    Answer answer;
    bson_error_t error;
    Stopwatch watch(session.server_pid);
    watch.start();
    // COUNT is 1: a second call would meet the same _id values.
    const bool good = mongoc_collection_insert_many(
        collection.get(), const_cast<const bson_t**>(borrowed.data()), borrowed.size(), nullptr, nullptr, &error);
    answer.times = watch.stop();
    if (!good) {
        answer.error = error.message;
    }
    return answer;
}

Answer run_insert_many_unsafe(Session& session, const Request& request) {
    const std::vector<Bson> documents = users(request.size);
    const std::vector<const bson_t*> borrowed = pointers(documents);
    const Bson options(BCON_NEW("ordered", BCON_BOOL(false)));
    mongoc_client_pool_t* pool = pool_without_retries(session);
    std::atomic<std::size_t> next{0}; // relaxed: hands out indexes only, the joins below order everything else
    std::string failures[kConnections];
    const auto work = [&](std::size_t number) {
        mongoc_client_t* client = mongoc_client_pool_pop(pool);
        const Collection collection = open_collection(client, session);
        for (;;) {
            const std::size_t from = next.fetch_add(kChunk, std::memory_order_relaxed);
            if (from >= borrowed.size()) {
                break;
            }
            bson_error_t error;
            if (!mongoc_collection_insert_many(collection.get(), const_cast<const bson_t**>(borrowed.data() + from),
                                               std::min(kChunk, borrowed.size() - from), options.get(), nullptr,
                                               &error)) {
                failures[number] = error.message;
                break;
            }
        }
        mongoc_client_pool_push(pool, client);
    };
    Answer answer;
    Stopwatch watch(session.server_pid);
    watch.start();
    std::thread second(work, 1);
    work(0);
    second.join();
    answer.times = watch.stop();
    for (const std::string& failure : failures) {
        if (!failure.empty()) {
            answer.error = failure;
        }
    }
    return answer;
}

} // namespace floor_bench
