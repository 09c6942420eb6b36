// barewire._core.Reactor and the registry of event loops; see pkg/barewire/_loop.py for how a loop is attached.
#include "bind/reactor.h"

#include <cerrno>
#include <new>
#include <unordered_map>
#include <utility>

#include "bind/in_place.h"
#include "bind/mongo_types.h"
#include "bind/pending.h"
#include "net/sole_event.h"
#include "py/guard.h"
#include "py/ref.h"

namespace barewire::bind {

namespace {

using py::Ref;

struct LoopReactor {
    std::shared_ptr<net::Reactor> reactor;
    Ref loop;  // strong: its address cannot come back as another loop's while it is registered
    InPlace in_place;
};

struct ReactorObject {
    PyObject_HEAD
    LoopReactor* inner;
};

// Guarded by the GIL. The objects themselves are kept alive by the loops that watch them.
struct Registry {
    std::unordered_map<PyObject*, ReactorObject*> by_loop;
    PyObject* last_loop = nullptr;
    ReactorObject* last = nullptr;
    Ref get_running_loop, attach;
    int closing = 0;

    void forget(PyObject* loop, ReactorObject* object) {
        auto found = by_loop.find(loop);
        if (found != by_loop.end() && found->second == object) by_loop.erase(found);
        if (last == object) last_loop = nullptr, last = nullptr;
    }
};

// One per process: an event loop is known by its address whichever interpreter asks.
Registry& registry() noexcept {
    static Registry* instance = new Registry();  // never destroyed: loops may outlive the module
    return *instance;
}

PyObject* make(PyTypeObject* type, PyObject* arguments, PyObject*) {
    PyObject* loop = nullptr;
    if (!PyArg_ParseTuple(arguments, "O:Reactor", &loop)) return nullptr;
    int error = 0;
    std::shared_ptr<net::Reactor> reactor = net::Reactor::create(error);
    if (!reactor) {
        errno = error;
        return PyErr_SetFromErrno(PyExc_OSError);
    }
    Ref self = Ref::steal(type->tp_alloc(type, 0));
    if (!self) {
        reactor->close();
        return nullptr;
    }
    auto* object = reinterpret_cast<ReactorObject*>(self.get());
    try {
        object->inner = new LoopReactor{std::move(reactor), Ref::share(loop), {}};
        registry().by_loop[loop] = object;
    } catch (const std::bad_alloc&) {
        if (reactor) reactor->close();
        return PyErr_NoMemory();
    }
    return self.release();
}

void close_reactor(ReactorObject* object) {
    if (object->inner == nullptr || !object->inner->reactor) return;
    registry().forget(object->inner->loop.get(), object);
    std::shared_ptr<net::Reactor> reactor = std::move(object->inner->reactor);
    object->inner->reactor.reset();
    ++registry().closing;
    reactor->close();
    --registry().closing;
}

void finalize(PyObject* self) {
    PyObject *type, *value, *traceback;
    PyErr_Fetch(&type, &value, &traceback);
    close_reactor(reinterpret_cast<ReactorObject*>(self));
    PyErr_Restore(type, value, traceback);
}

void deallocate(PyObject* self) {
    if (PyObject_CallFinalizerFromDealloc(self) < 0) return;
    PyTypeObject* type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    delete reinterpret_cast<ReactorObject*>(self)->inner;
    type->tp_free(self);
    Py_DECREF(type);  // reference counting: an instance of a heap type owns its type
}

int traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE(self));
    auto* inner = reinterpret_cast<ReactorObject*>(self)->inner;
    if (inner != nullptr) {
        Py_VISIT(inner->loop.get());
        Py_VISIT(inner->in_place.ready.get());
        Py_VISIT(inner->in_place.current_task.get());
        Py_VISIT(inner->in_place.task_type.get());
    }
    return 0;
}

int clear(PyObject* self) {
    auto* object = reinterpret_cast<ReactorObject*>(self);
    close_reactor(object);
    if (object->inner != nullptr) {
        object->inner->loop.reset();
        object->inner->in_place = {};
    }
    return 0;
}

PyObject* fileno(PyObject* self, PyObject*) {
    auto* inner = reinterpret_cast<ReactorObject*>(self)->inner;
    return PyLong_FromLong(inner != nullptr && inner->reactor ? inner->reactor->descriptor() : -1);
}

PyObject* drain(PyObject* self, PyObject*) {
    auto* inner = reinterpret_cast<ReactorObject*>(self)->inner;
    int count = 0;
    if (inner != nullptr && inner->reactor) {
        std::shared_ptr<net::Reactor> reactor = inner->reactor;  // a callback may close us
        // What tasks submit when they go on is collected, too.
        const net::Reactor::Turn turn(*reactor);
        WakeUps wake_ups;
        count = reactor->drain();
        // Only now: tasks that go on here may use, or close, what drain was working on.
        if (!wake_ups.run()) return nullptr;
    }
    return PyLong_FromLong(count);
}

PyObject* wait_in_place_with(PyObject* self, PyObject* arguments) {
    PyObject *ready = nullptr, *current_task = nullptr, *task_type = nullptr;
    int selector = -1;
    if (!PyArg_ParseTuple(arguments, "OiOO:wait_in_place_with", &ready, &selector, &current_task, &task_type)) return nullptr;
    auto* inner = reinterpret_cast<ReactorObject*>(self)->inner;
    if (inner != nullptr && net::can_wait_for_sole_event()) {
        inner->in_place = {Ref::share(ready), Ref::share(current_task), Ref::share(task_type), selector};
    }
    Py_RETURN_NONE;
}

PyObject* close(PyObject* self, PyObject*) {
    close_reactor(reinterpret_cast<ReactorObject*>(self));
    Py_RETURN_NONE;
}

PyObject* abandon_reactors(PyObject*, PyObject*) {
    Registry& all = registry();
    for (auto& [loop, object] : all.by_loop) {
        if (object->inner == nullptr || !object->inner->reactor) continue;
        object->inner->reactor->abandon_after_fork();
        // Never destroyed: what it knows belongs to the parent.
        new std::shared_ptr<net::Reactor>(std::move(object->inner->reactor));
    }
    all.by_loop.clear();
    all.last_loop = nullptr;
    all.last = nullptr;
    Py_RETURN_NONE;
}

PyMethodDef methods[] = {
    {"fileno", fileno, METH_NOARGS, "The descriptor that is readable when drain() has something to do; -1 when closed."},
    {"drain", drain, METH_NOARGS, "Serves what is ready, without waiting; returns the number of callbacks made."},
    {"wait_in_place_with", wait_in_place_with, METH_VARARGS,
     "wait_in_place_with(ready, selector, current_task, task_type): what await looks at before it suspends a task."},
    {"close", close, METH_NOARGS, "Ends what is in flight and closes the descriptor. Safe to call twice."},
    {nullptr, nullptr, 0, nullptr},
};

PyType_Slot type_slots[] = {
    {Py_tp_doc, const_cast<char*>("Reactor(loop): one event loop's share of every engine's connections.")},
    {Py_tp_new, reinterpret_cast<void*>(&make)},
    {Py_tp_finalize, reinterpret_cast<void*>(&finalize)},
    {Py_tp_dealloc, reinterpret_cast<void*>(&deallocate)},
    {Py_tp_traverse, reinterpret_cast<void*>(&traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(&clear)},
    {Py_tp_methods, methods},
    {0, nullptr},
};

PyType_Spec spec = {"barewire._core.Reactor", sizeof(ReactorObject), 0, Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC, type_slots};

PyMethodDef functions[] = {
    {"abandon_reactors", abandon_reactors, METH_NOARGS, "In a fork's child: forgets the parent's reactors."},
    {nullptr, nullptr, 0, nullptr},
};

bool import_once(Registry& all) {
    if (all.attach) return true;
    Ref events = Ref::steal(PyImport_ImportModule("asyncio.events"));
    if (!events) return false;
    Ref module = Ref::steal(PyImport_ImportModule("barewire._loop"));
    if (!module) return false;
    all.get_running_loop = Ref::steal(PyObject_GetAttrString(events.get(), "get_running_loop"));
    if (!all.get_running_loop) return false;
    all.attach = Ref::steal(PyObject_GetAttrString(module.get(), "attach"));
    return static_cast<bool>(all.attach);
}

}  // namespace

RunningLoop running_loop(ModuleState& state) {
    Registry& all = registry();
    if (all.last_loop != nullptr && all.last->inner->in_place.selector >= 0 && all.last->inner->reactor &&
        runs_here(all.last_loop)) {
        return {all.last_loop, all.last->inner->reactor.get()};
    }
    if (!import_once(all)) return {};
    Ref loop = Ref::steal(PyObject_CallNoArgs(all.get_running_loop.get()));
    if (!loop) return {};
    if (loop.get() == all.last_loop) return {loop.get(), all.last->inner->reactor.get()};
    auto found = all.by_loop.find(loop.get());
    ReactorObject* object = nullptr;
    if (found != all.by_loop.end() && found->second->inner->reactor) {
        object = found->second;
    } else {
        Ref made = Ref::steal(PyObject_CallOneArg(all.attach.get(), loop.get()));
        if (!made) return {};
        if (!PyObject_TypeCheck(made.get(), reinterpret_cast<PyTypeObject*>(state.reactor_type.get()))) {
            PyErr_SetString(PyExc_TypeError, "barewire._loop.attach must return a Reactor");
            return {};
        }
        object = reinterpret_cast<ReactorObject*>(made.get());  // the loop keeps it
    }
    all.last_loop = loop.get();
    all.last = object;
    return {loop.get(), object->inner->reactor.get()};
}

void serve_in_place(PyObject* loop, PyObject* pending) {
    Registry& all = registry();
    if (loop != all.last_loop || WakeUps::left()) return;
    const Ref object = Ref::share(reinterpret_cast<PyObject*>(all.last));  // other threads run meanwhile
    LoopReactor* inner = all.last->inner;
    const std::shared_ptr<net::Reactor> reactor = inner->reactor;
    const Ref held = Ref::share(pending);
    // Asked anew after each drain: it may have made other tasks ready, for a connection can carry operations of several.
    while (reactor && inner->reactor == reactor && !pending_done(pending) && idle_but_for(loop, inner->in_place, *reactor) &&
           !pending_done(pending)) {
        net::SoleEvent seen;
        {
            py::WithoutGil released;
            seen = net::wait_for_sole_event(inner->in_place.selector, reactor->descriptor(), longest_wait_in_place);
        }
        if (seen != net::SoleEvent::expected || inner->reactor != reactor) return;
        reactor->drain();
    }
}

bool reactor_closing() noexcept { return registry().closing != 0; }

bool add_reactor(PyObject* module, ModuleState& state) {
    return add_type(module, spec, state.reactor_type) && PyModule_AddFunctions(module, functions) == 0;
}

}  // namespace barewire::bind
