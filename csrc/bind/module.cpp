// The extension module barewire._core: multi-phase initialisation and the list of features; no methods of its own.
#include <new>

#include "bind/codec_accel.h"
#include "bind/codec_decode.h"
#include "bind/codec_encode.h"
#include "bind/mongo_types.h"
#include "bind/pending.h"
#include "bind/pg_codec_api.h"
#include "bind/pg_types.h"
#include "bind/reactor.h"
#include "bind/state.h"
#include "py/python.h"

namespace barewire::bind {

namespace {

constexpr Feature features[] = {
    &add_codec_encode,
    &add_codec_decode,
    &add_codec_accel,
    &add_codec_accel_message,
    &add_pending,
    &add_reactor,
    &add_mongo_engine,
    &add_mongo_target,
    &add_mongo_stream,
    &add_pg_codec,
    &add_pg_connection,
    &add_pg_pool,
};

int execute(PyObject* module) {
    auto* state = new (PyModule_GetState(module)) ModuleState();
    for (Feature feature : features) {
        if (!feature(module, *state)) return -1;
    }
    return 0;
}

void destroy(void* module) {
    auto* state = static_cast<ModuleState*>(PyModule_GetState(static_cast<PyObject*>(module)));
    if (state != nullptr) state->~ModuleState();
}

PyModuleDef_Slot slots[] = {
    {Py_mod_exec, reinterpret_cast<void*>(&execute)},
    {0, nullptr},
};

PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    "barewire._core",
    "Wire-speed codecs and database engines behind the barewire package.",
    sizeof(ModuleState),
    nullptr,
    slots,
    nullptr,
    nullptr,
    &destroy,
};

}  // namespace

ModuleState& state_of_module(PyObject* module) noexcept {
    return *static_cast<ModuleState*>(PyModule_GetState(module));
}

ModuleState& state_of_type(PyTypeObject* type) noexcept {
    return *static_cast<ModuleState*>(PyType_GetModuleState(type));
}

}  // namespace barewire::bind

PyMODINIT_FUNC PyInit__core(void) { return PyModuleDef_Init(&barewire::bind::definition); }
