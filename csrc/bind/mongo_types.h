// Layouts of the MongoDB heap types and the names they use; behaviour is in the file named after each type.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "bind/state.h"
#include "net/mongo/client.h"
#include "py/python.h"
#include "py/ref.h"
#include "walk/bson_insert.h"
#include "walk/options.h"

namespace barewire::bind {

using net::mongo::Clock;

// What the MongoDB binding keeps per module; made when the feature is added.
struct MongoState {
    py::Ref target_type, session_type, stream_type, message_type;
    // Interned names of what is called on Python objects.
    py::Ref reply, failure, too_large;
    py::Ref debug_level;  // 10, the key of logging.DEBUG in a logger's cache
};

// barewire._core.MongoEngine: the handle of one client's engine.
struct Engine {
    ModuleState* module = nullptr;
    net::mongo::Settings settings;
    std::shared_ptr<net::mongo::Client> client;  // made on first use, and again in a fork's child
    py::Ref errors;                              // answers which exception a failure is (barewire.mongo._errors.Errors)
    Clock::duration selection_timeout{}, wait_queue_timeout{}, socket_timeout{};
    bool restricted = true, closed = false;
    py::Ref timeout_variable, session_variable, logger, logger_cache;

    // Never empty; may throw std::bad_alloc.
    net::mongo::Client& open();
};

struct EngineObject {
    PyObject_HEAD
    Engine* engine;
};

// barewire._core.MongoTarget: one database with codec options and a read preference, resolved once.
struct Target {
    py::Ref engine_object;
    Engine* engine = nullptr;
    std::string database;
    std::shared_ptr<const walk::CodecOptions> encode, decode;
    std::shared_ptr<const net::mongo::ReadPreference> preference;
    py::Ref selector;  // the _ServerMode that texts of errors name; empty: writes
};

struct TargetObject {
    PyObject_HEAD
    Target* target;
};

// barewire._core.MongoSession: a server session that a cursor holds; goes back to the engine when dropped.
struct Session {
    std::shared_ptr<net::mongo::Client> client;
    std::unique_ptr<net::mongo::ServerSession> session;  // empty while an operation uses it
};

struct SessionObject {
    PyObject_HEAD
    Session* session;
};

// barewire._core.DocumentStream: documents of any iterable, taken chunk by chunk.
struct StreamObject {
    PyObject_HEAD
    walk::DocumentSource* source;
    py::Ref* error;  // raised by the documents after a chunk that was still good; told by the next call
};

inline Engine& engine_of(PyObject* object) noexcept { return *reinterpret_cast<EngineObject*>(object)->engine; }
inline Target& target_of(PyObject* object) noexcept { return *reinterpret_cast<TargetObject*>(object)->target; }

// Each adds its types and functions to the module; false with a Python error set.
[[nodiscard]] bool add_mongo_engine(PyObject* module, ModuleState& state);
[[nodiscard]] bool add_mongo_target(PyObject* module, ModuleState& state);
[[nodiscard]] bool add_mongo_stream(PyObject* module, ModuleState& state);

// A new target; the arguments are those of MongoEngine.target.
PyObject* new_target(PyObject* engine_object, PyObject* database, PyObject* encode, PyObject* decode, PyObject* preference);

// A heap type of `spec`, added to the module under its own name and kept in `place`.
[[nodiscard]] bool add_type(PyObject* module, PyType_Spec& spec, py::Ref& place);

}  // namespace barewire::bind
