// Floors of find: one document by _id, the same from several threads, and a whole result set. Replies are walked, not
// turned into anything.
#include <atomic>
#include <thread>
#include <vector>

#include "collection.h"
#include "documents.h"

namespace floor_bench {

namespace {

constexpr int kThreads = 8; // as the blocking peers of the case

struct FreeCursor {
    void operator()(mongoc_cursor_t* cursor) const noexcept { mongoc_cursor_destroy(cursor); }
};
using Cursor = std::unique_ptr<mongoc_cursor_t, FreeCursor>;

// find_one in the terms of the drivers: limit 1, a single batch.
bool find_one(mongoc_collection_t* collection, const bson_t* filter, const bson_t* options, Digest* digest,
              std::string& failure) {
    Cursor cursor(mongoc_collection_find_with_opts(collection, filter, options, nullptr));
    const bson_t* document = nullptr;
    if (mongoc_cursor_next(cursor.get(), &document)) {
        digest->add(document);
        return true;
    }
    bson_error_t error;
    failure = mongoc_cursor_error(cursor.get(), &error) ? error.message : "no such document";
    return false;
}

Bson single_batch() {
    return Bson(BCON_NEW("limit", BCON_INT64(1), "singleBatch", BCON_BOOL(true)));
}

} // namespace

Answer run_find_one(Session& session, const Request& request) {
    const Collection collection = open_collection(session.client, session);
    std::vector<Bson> filters;
    for (int step = 0; step < request.count; ++step) {
        filters.push_back(filter(visit(step, request.size)));
    }
    const Bson options = single_batch();
    Answer answer;
    Digest digest;
    Stopwatch watch(session.server_pid);
    watch.start();
    for (const Bson& wanted : filters) {
        if (!find_one(collection.get(), wanted.get(), options.get(), &digest, answer.error)) {
            return answer;
        }
    }
    answer.times = watch.stop();
    answer.digest = digest.text();
    return answer;
}

Answer run_find_one_threads(Session& session, const Request& request) {
    std::vector<Bson> filters;
    for (int step = 0; step < request.count; ++step) {
        filters.push_back(filter(visit(step, request.size)));
    }
    const Bson options = single_batch();
    std::vector<Digest> digests(kThreads);
    std::vector<std::string> failures(kThreads);
    Answer answer;
    Stopwatch watch(session.server_pid);
    watch.start();
    std::vector<std::thread> threads;
    for (int number = 0; number < kThreads; ++number) {
        threads.emplace_back([&, number] {
            mongoc_client_t* client = mongoc_client_pool_pop(session.pool);
            const Collection collection = open_collection(client, session);
            Digest digest; // on this thread's stack: neighbours would share a cache line
            for (std::size_t step = static_cast<std::size_t>(number); step < filters.size(); step += kThreads) {
                if (!find_one(collection.get(), filters[step].get(), options.get(), &digest,
                              failures[static_cast<std::size_t>(number)])) {
                    break;
                }
            }
            digests[static_cast<std::size_t>(number)] = digest;
            mongoc_client_pool_push(session.pool, client);
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    answer.times = watch.stop();
    Digest all;
    for (int number = 0; number < kThreads; ++number) {
        all.merge(digests[static_cast<std::size_t>(number)]);
        if (!failures[static_cast<std::size_t>(number)].empty()) {
            answer.error = failures[static_cast<std::size_t>(number)];
        }
    }
    answer.digest = all.text();
    return answer;
}

Answer run_find(Session& session, const Request& request) {
    const Collection collection = open_collection(session.client, session);
    const Bson everything(bson_new());
    Answer answer;
    std::uint64_t bytes = 0;
    const auto walk = [&](Digest* digest) {
        Cursor cursor(mongoc_collection_find_with_opts(collection.get(), everything.get(), nullptr, nullptr));
        const bson_t* document = nullptr;
        int found = 0;
        while (mongoc_cursor_next(cursor.get(), &document)) {
            bytes += document->len;
            ++found;
            if (digest != nullptr) {
                digest->add(document);
            }
        }
        bson_error_t error;
        if (mongoc_cursor_error(cursor.get(), &error)) {
            answer.error = error.message;
        } else if (found != request.size) {
            answer.error = "found " + std::to_string(found) + " documents";
        }
    };
    Stopwatch watch(session.server_pid);
    watch.start();
    for (int step = 0; step < request.count; ++step) {
        walk(nullptr);
    }
    answer.times = watch.stop();
    // Cheap runs are held to the number found above; a thorough one sends the digest of a second, untimed walk.
    Digest digest;
    walk(&digest);
    answer.digest = digest.text();
    return answer;
}

} // namespace floor_bench
