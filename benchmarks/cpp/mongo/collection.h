// Owner of a libmongoc collection handle.
#pragma once

#include <mongoc/mongoc.h>

#include <memory>

#include "session.h"

namespace floor_bench {

struct FreeCollection {
    void operator()(mongoc_collection_t* collection) const noexcept { mongoc_collection_destroy(collection); }
};
using Collection = std::unique_ptr<mongoc_collection_t, FreeCollection>;

inline Collection open_collection(mongoc_client_t* client, const Session& session) {
    return Collection(mongoc_client_get_collection(client, session.database.c_str(), session.collection.c_str()));
}

} // namespace floor_bench
