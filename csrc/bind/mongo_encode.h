// Commands, document sequences and chunks of inserts, encoded straight into an operation. Nothing is sent from here.
#pragma once

#include <cstddef>

#include "bind/mongo_call.h"
#include "bind/mongo_types.h"
#include "py/python.h"

namespace barewire::bind {

// All return false with a Python error set.

// The command's elements into `call.body`.
[[nodiscard]] bool encode_body(Target& target, MongoCall& call, PyObject* command);

// DocumentTooLarge as PyMongo raises it for a command that is no batch.
[[nodiscard]] bool check_size(Target& target, MongoCall& call, PyObject* command);

// Documents of a list or tuple from `offset` on. With the list `ids` they are inserts: each gets an `_id` and leaves it
// there; without, they are statements of updates or deletes.
struct Documents {
    PyObject* field;
    PyObject* sequence;
    Py_ssize_t offset = 0;
    PyObject* ids = nullptr;
};
// As many as one message may hold into `call.sequence`; `call.documents_sent` tells how many.
[[nodiscard]] bool encode_documents(Target& target, MongoCall& call, PyObject* command, const Documents& documents);

// Up to `count` documents of a stream, with new ids that are not written back. False without an error: the stream is
// empty. What stopped it early is kept in the stream and raised by the next call.
[[nodiscard]] bool encode_chunk(Target& target, MongoCall& call, PyObject* command, StreamObject& stream,
                                std::size_t count, PyObject* ids);

}  // namespace barewire::bind
