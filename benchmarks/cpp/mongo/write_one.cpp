// Floors of single writes: insert_one and update_one by _id.
#include "collection.h"
#include "documents.h"

namespace floor_bench {

Answer run_insert_one(Session& session, const Request& request) {
    const Collection collection = open_collection(session.client, session);
    const std::vector<Bson> documents = users(request.count);
    Answer answer;
    bson_error_t error;
    Stopwatch watch(session.server_pid);
    watch.start();
    for (const Bson& document : documents) {
        if (!mongoc_collection_insert_one(collection.get(), document.get(), nullptr, nullptr, &error)) {
            answer.error = error.message;
            return answer;
        }
    }
    answer.times = watch.stop();
    return answer;
}

Answer run_update_one(Session& session, const Request& request) {
    const Collection collection = open_collection(session.client, session);
    std::vector<Bson> filters;
    std::vector<Bson> updates;
    for (int step = 0; step < request.count; ++step) {
        filters.push_back(filter(visit(step, request.size)));
        updates.emplace_back(BCON_NEW("$set", "{", "score", BCON_DOUBLE(-request.token), "}"));
    }
    Answer answer;
    bson_error_t error;
    Stopwatch watch(session.server_pid);
    watch.start();
    for (std::size_t step = 0; step < filters.size(); ++step) {
        if (!mongoc_collection_update_one(collection.get(), filters[step].get(), updates[step].get(), nullptr, nullptr,
                                          &error)) {
            answer.error = error.message;
            return answer;
        }
    }
    answer.times = watch.stop();
    return answer;
}

} // namespace floor_bench
