// One MongoDB operation that Python asked for: its request, the future that waits for it, and what its reply becomes.
#pragma once

#include <cstddef>
#include <memory>

#include "bind/flags.h"
#include "bind/mongo_types.h"
#include "net/mongo/operation.h"
#include "py/python.h"
#include "py/ref.h"

namespace barewire::bind {

// Made, finished and destroyed with the GIL held; the engine only releases it elsewhere while the blocking caller that
// holds the GIL-side reference is still there.
class MongoCall final : public net::mongo::Operation {
public:
    // For commands of a target, or with `target` nullptr for a whole message of PyMongo's.
    MongoCall(PyObject* engine_object, PyObject* target_object, int flags);

    int flags;
    std::size_t documents_sent = 0;  // for shape_counted

    // The cursor's list that a batch is appended to; a new one otherwise.
    void append_to(PyObject* list) { into_ = py::Ref::share(list); }
    // Lends the session of a MongoSession object to this operation.
    void lend(PyObject* session_object);

    // Starts it in the running event loop; its future, or nullptr with a Python error set.
    PyObject* start();
    // Runs it here without the GIL; its value, or nullptr with a Python error set.
    PyObject* run();

    void completed() noexcept override;
    bool abandoned() noexcept override;

private:
    ~MongoCall() override;
    void destroy() noexcept override;

    py::Ref value();
    py::Ref reply_value();
    py::Ref batch_value(const std::uint8_t* cursor, std::size_t size);
    py::Ref first_value(const std::uint8_t* cursor, std::size_t size);
    bool check_reply();
    void raise_failure();
    void give_back_session();
    MongoState& names() const noexcept;

    py::Ref engine_object_, target_object_, future_, into_, session_object_;
    bool starting_ = false;
};

// Frees with release() what `new` made.
struct ReleaseCall {
    void operator()(MongoCall* call) const noexcept { call->release(); }
};
using MongoCallOwner = std::unique_ptr<MongoCall, ReleaseCall>;

// A MongoMessage that holds `call` until it is sent.
PyObject* new_message(ModuleState& state, MongoCallOwner call);

}  // namespace barewire::bind
