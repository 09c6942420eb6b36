// The module's one state struct and how to reach it; features keep their own part in their own files.
#pragma once

#include <memory>

#include "py/python.h"
#include "py/ref.h"
#include "walk/kinds.h"
#include "walk/pg_kinds.h"

namespace barewire::bind {

struct MongoState;
struct PgState;

// Lives in the module object; built by the exec slot with placement new, destroyed by m_free.
// Features register themselves by a function of type Feature listed in module.cpp.
struct ModuleState {
    walk::Kinds kinds;           // Python types and offsets resolved on first sight
    walk::PgKinds pg_kinds;      // the same for PostgreSQL
    py::Ref engine_type;         // heap type barewire._core.MongoEngine
    py::Ref reactor_type;        // heap type barewire._core.Reactor
    py::Ref pending_type;        // heap type barewire._core.Pending
    py::Ref pending_coroutine_type;  // heap type barewire._core.PendingCoroutine
    py::Ref pg_codec_type;       // heap type barewire._core.PgCodec
    std::shared_ptr<MongoState> mongo;  // see bind/mongo_types.h
    std::shared_ptr<PgState> pg;        // see bind/pg_types.h
};

// State of the module that owns a method or a heap type.
ModuleState& state_of_module(PyObject* module) noexcept;
ModuleState& state_of_type(PyTypeObject* type) noexcept;

// Adds functions and types of one feature to the module; false with a Python error set.
using Feature = bool (*)(PyObject* module, ModuleState& state);

}  // namespace barewire::bind
