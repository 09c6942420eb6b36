// The type barewire._core.Pending and the collection of its callbacks; who resolves it is in the files of the databases.
#include "bind/pending.h"

#include <cstdint>
#include <new>
#include <utility>

#include "bind/mongo_types.h"
#include "bind/reactor.h"
#include "py/compat.h"
#include "py/guard.h"

namespace barewire::bind {

using py::Ref;

namespace {

thread_local WakeUps* collecting = nullptr;
thread_local Py_ssize_t still_to_call = 0;

enum class Outcome : std::uint8_t { waiting, value, exception, cancelled };

}  // namespace

struct Pending {
    Ref loop;
    Ref callback, context;  // of the first waiter, which is nearly always the only one
    Ref others;             // list of (callback, context) of further ones
    Ref outcome;            // the value, the exception, or the message of the cancellation
    Outcome state = Outcome::waiting;
    bool blocking = false;
    Cancellation* cancellation = nullptr;  // told once when somebody gives up

    static bool collect(PyObject* self);
    static bool finish(PyObject* self, Outcome how, Ref what);
    bool schedule(PyObject* self);
    bool call(PyObject* self);
};

namespace {

struct PendingObject {
    PyObject_HEAD
    Pending inner;
};

Pending& pending_of(PyObject* object) noexcept { return reinterpret_cast<PendingObject*>(object)->inner; }

bool call_soon(PyObject* loop, PyObject* callback, PyObject* self, PyObject* context) {
    Ref method = Ref::steal(PyObject_GetAttrString(loop, "call_soon"));
    Ref names = Ref::steal(Py_BuildValue("(s)", "context"));
    if (!method || !names) return false;
    PyObject* arguments[] = {callback, self, context};
    py::StayWhenUnwound stay;
    Ref made = Ref::steal(PyObject_Vectorcall(method.get(), arguments, 2, names.get()));
    stay.returned();
    return static_cast<bool>(made);
}

bool call_in_context(PyObject* callback, PyObject* self, PyObject* context) {
    if (PyContext_Enter(context) != 0) return false;
    py::StayWhenUnwound stay;
    Ref done = Ref::steal(PyObject_CallOneArg(callback, self));
    stay.returned();
    if (!done) {
        Ref raised = py::take_exception();
        if (PyContext_Exit(context) != 0) PyErr_Clear();
        py::restore_exception(std::move(raised));
        return false;
    }
    return PyContext_Exit(context) == 0;
}

}  // namespace

bool Pending::collect(PyObject* self) {
    if (!collecting->woken_) collecting->woken_ = Ref::steal(PyList_New(0));
    return collecting->woken_ && PyList_Append(collecting->woken_.get(), self) == 0;
}

bool Pending::finish(PyObject* self, Outcome how, Ref what) {
    Pending& inner = pending_of(self);
    inner.state = how;
    inner.outcome = std::move(what);
    Cancellation* told = std::exchange(inner.cancellation, nullptr);
    if (how == Outcome::cancelled && told != nullptr) told->cancelled();
    if (!inner.callback && !inner.others) return true;
    if (how != Outcome::cancelled && collecting != nullptr && collecting->open_) return collect(self);
    return inner.schedule(self);
}

bool Pending::schedule(PyObject* self) {
    Ref first = std::move(callback), its_context = std::move(context), rest = std::move(others);
    if (first && !call_soon(loop.get(), first.get(), self, its_context.get())) return false;
    for (Py_ssize_t i = 0; rest && i < PyList_GET_SIZE(rest.get()); ++i) {
        PyObject* pair = PyList_GET_ITEM(rest.get(), i);
        if (!call_soon(loop.get(), PyTuple_GET_ITEM(pair, 0), self, PyTuple_GET_ITEM(pair, 1))) return false;
    }
    return true;
}

bool Pending::call(PyObject* self) {
    Ref first = std::move(callback), its_context = std::move(context);
    // Further waiters keep asyncio's way: what they do cannot delay the first.
    if (others && !schedule(self)) return false;
    return !first || call_in_context(first.get(), self, its_context.get());
}

WakeUps::WakeUps() noexcept : outer_(collecting) { collecting = this; }

WakeUps::~WakeUps() {
    if (open_) collecting = outer_;
}

bool WakeUps::left() noexcept { return still_to_call != 0 || collecting != nullptr; }

bool WakeUps::run() {
    // From here on what ends is scheduled: a callback may be inside a task when it ends something else.
    open_ = false;
    collecting = outer_;
    if (!woken_) return true;
    Ref woken = std::move(woken_);
    const Py_ssize_t count = PyList_GET_SIZE(woken.get());
    still_to_call += count;
    for (Py_ssize_t i = 0; i < count; ++i) {
        PyObject* self = PyList_GET_ITEM(woken.get(), i);
        --still_to_call;
        if (pending_of(self).call(self)) continue;
        still_to_call -= count - i - 1;
        Ref raised = py::take_exception();
        for (++i; i < PyList_GET_SIZE(woken.get()); ++i) {
            self = PyList_GET_ITEM(woken.get(), i);
            if (!pending_of(self).schedule(self)) PyErr_WriteUnraisable(self);
        }
        py::restore_exception(std::move(raised));
        return false;
    }
    return true;
}

namespace {

// --- outcome -----------------------------------------------------------------------------------------------------------
bool raise_from_asyncio(const char* name, PyObject* message) {
    Ref module = Ref::steal(PyImport_ImportModule("asyncio.exceptions"));
    Ref type = module ? Ref::steal(PyObject_GetAttrString(module.get(), name)) : Ref();
    if (!type) return false;
    if (message != nullptr) {
        PyErr_SetObject(type.get(), message);
    } else {
        PyErr_SetNone(type.get());
    }
    return false;
}

PyObject* result(PyObject* self, PyObject*) {
    Pending& inner = pending_of(self);
    switch (inner.state) {
        case Outcome::value: return inner.outcome.shared();
        case Outcome::exception:
            PyErr_SetObject(reinterpret_cast<PyObject*>(inner.outcome.type()), inner.outcome.get());
            return nullptr;
        case Outcome::cancelled: raise_from_asyncio("CancelledError", inner.outcome.get()); return nullptr;
        case Outcome::waiting: raise_from_asyncio("InvalidStateError", nullptr); return nullptr;
    }
    return nullptr;
}

PyObject* exception(PyObject* self, PyObject* unused) {
    Pending& inner = pending_of(self);
    if (inner.state == Outcome::value) Py_RETURN_NONE;
    return inner.state == Outcome::exception ? inner.outcome.shared() : result(self, unused);
}

PyObject* done(PyObject* self, PyObject*) { return PyBool_FromLong(pending_of(self).state != Outcome::waiting); }
PyObject* cancelled(PyObject* self, PyObject*) { return PyBool_FromLong(pending_of(self).state == Outcome::cancelled); }
PyObject* get_loop(PyObject* self, PyObject*) { return pending_of(self).loop.shared(); }

// What asyncio.gather asks a cancelled future for.
PyObject* make_cancelled_error(PyObject* self, PyObject*) {
    PyObject* message = pending_of(self).state == Outcome::cancelled ? pending_of(self).outcome.get() : nullptr;
    raise_from_asyncio("CancelledError", message);
    return py::take_exception().release();
}

PyObject* cancel(PyObject* self, PyObject* arguments, PyObject* keywords) {
    static const char* names[] = {"msg", nullptr};
    PyObject* message = Py_None;
    if (!PyArg_ParseTupleAndKeywords(arguments, keywords, "|O:cancel", const_cast<char**>(names), &message)) return nullptr;
    if (pending_of(self).state != Outcome::waiting) Py_RETURN_FALSE;
    Ref kept = message == Py_None ? Ref() : Ref::share(message);
    if (!Pending::finish(self, Outcome::cancelled, std::move(kept))) return nullptr;
    Py_RETURN_TRUE;
}

// --- callbacks ---------------------------------------------------------------------------------------------------------
// (fn, *, context=None); asyncio calls it once per await, so the arguments are taken apart by hand.
PyObject* add_done_callback(PyObject* self, PyObject* const* values, Py_ssize_t count, PyObject* names) {
    PyObject *callback = count > 0 ? values[0] : nullptr, *context = Py_None;
    const Py_ssize_t named = names != nullptr ? PyTuple_GET_SIZE(names) : 0;
    bool good = count <= 1;
    for (Py_ssize_t i = 0; good && i < named; ++i) {
        PyObject* name = PyTuple_GET_ITEM(names, i);
        if (PyUnicode_CompareWithASCIIString(name, "context") == 0) context = values[count + i];
        else if (callback == nullptr && PyUnicode_CompareWithASCIIString(name, "fn") == 0) callback = values[count + i];
        else good = false;
    }
    if (!good || callback == nullptr) {
        PyErr_SetString(PyExc_TypeError, "add_done_callback() takes one callback and the keyword argument context");
        return nullptr;
    }
    Ref own = context == Py_None ? Ref::steal(PyContext_CopyCurrent()) : Ref::share(context);
    if (!own) return nullptr;
    Pending& inner = pending_of(self);
    if (inner.state != Outcome::waiting) {
        if (!call_soon(inner.loop.get(), callback, self, own.get())) return nullptr;
    } else if (!inner.callback && !inner.others) {
        inner.callback = Ref::share(callback);
        inner.context = std::move(own);
    } else {
        if (!inner.others) inner.others = Ref::steal(PyList_New(0));
        Ref pair = inner.others ? Ref::steal(PyTuple_Pack(2, callback, own.get())) : Ref();
        if (!pair || PyList_Append(inner.others.get(), pair.get()) < 0) return nullptr;
    }
    Py_RETURN_NONE;
}

PyObject* remove_done_callback(PyObject* self, PyObject* callback) {
    Pending& inner = pending_of(self);
    Ref first = inner.callback.copy();
    long removed = 0;
    if (first) {
        const int same = PyObject_RichCompareBool(first.get(), callback, Py_EQ);
        if (same < 0) return nullptr;
        if (same) {
            inner.callback.reset();
            inner.context.reset();
            ++removed;
        }
    }
    Ref others = inner.others.copy();
    for (Py_ssize_t i = others ? PyList_GET_SIZE(others.get()) - 1 : -1; i >= 0 && i < PyList_GET_SIZE(others.get()); --i) {
        Ref pair = Ref::share(PyList_GET_ITEM(others.get(), i));
        const int same = PyObject_RichCompareBool(PyTuple_GET_ITEM(pair.get(), 0), callback, Py_EQ);
        if (same < 0) return nullptr;
        if (!same || i >= PyList_GET_SIZE(others.get())) continue;
        if (PyList_SetSlice(others.get(), i, i + 1, nullptr) < 0) return nullptr;
        ++removed;
    }
    return PyLong_FromLong(removed);
}

// --- await -------------------------------------------------------------------------------------------------------------
PySendResult send(PyObject* self, PyObject*, PyObject** out) {
    Pending& inner = pending_of(self);
    if (inner.state == Outcome::waiting && !inner.blocking && !inner.callback && !inner.others) {
        serve_in_place(inner.loop.get(), self);
    }
    if (inner.state == Outcome::waiting) {
        if (inner.blocking) {
            PyErr_SetString(PyExc_RuntimeError, "await wasn't used with future");
            *out = nullptr;
            return PYGEN_ERROR;
        }
        inner.blocking = true;
        *out = Ref::share(self).release();
        return PYGEN_NEXT;
    }
    *out = result(self, nullptr);
    return *out != nullptr ? PYGEN_RETURN : PYGEN_ERROR;
}

PyObject* next(PyObject* self) {
    PyObject* out = nullptr;
    const PySendResult got = send(self, nullptr, &out);
    if (got != PYGEN_RETURN) return out;
    Ref value = Ref::steal(out);
    if (!PyTuple_Check(value.get()) && !PyExceptionInstance_Check(value.get())) {
        PyErr_SetObject(PyExc_StopIteration, value.get());
        return nullptr;
    }
    // An instance, because a tuple or an exception as the value would be taken apart.
    Ref stop = Ref::steal(PyObject_CallOneArg(PyExc_StopIteration, value.get()));
    if (stop) PyErr_SetObject(PyExc_StopIteration, stop.get());
    return nullptr;
}

// A coroutine's methods, of PendingCoroutine only.
PyObject* send_method(PyObject* self, PyObject*) { return next(self); }

PyObject* throw_method(PyObject* self, PyObject* arguments) {
    PyObject *type = nullptr, *value = Py_None, *traceback = Py_None;
    if (!PyArg_ParseTuple(arguments, "O|OO:throw", &type, &value, &traceback)) return nullptr;
    // What a task throws here is the cancellation of what it waited for, or its own end.
    if (pending_of(self).state == Outcome::waiting && !Pending::finish(self, Outcome::cancelled, Ref())) return nullptr;
    if (PyExceptionInstance_Check(type)) {
        PyErr_SetObject(reinterpret_cast<PyObject*>(Py_TYPE(type)), type);
    } else if (value != Py_None) {
        PyErr_SetObject(type, value);
    } else {
        PyErr_SetNone(type);
    }
    return nullptr;
}

PyObject* close_method(PyObject* self, PyObject*) {
    if (pending_of(self).state == Outcome::waiting && !Pending::finish(self, Outcome::cancelled, Ref())) return nullptr;
    Py_RETURN_NONE;
}

PyObject* self_itself(PyObject* self) { return Ref::share(self).release(); }

// The other one that asyncio.gather looks at.
PyObject* get_cancel_message(PyObject* self, void*) {
    Pending& inner = pending_of(self);
    return inner.state == Outcome::cancelled && inner.outcome ? inner.outcome.shared() : Ref::none().release();
}

PyObject* get_blocking(PyObject* self, void*) { return PyBool_FromLong(pending_of(self).blocking); }

int set_blocking(PyObject* self, PyObject* value, void*) {
    const int truth = value != nullptr ? PyObject_IsTrue(value) : 0;
    if (truth < 0) return -1;
    pending_of(self).blocking = truth != 0;
    return 0;
}

// --- lifetime ----------------------------------------------------------------------------------------------------------
int traverse(PyObject* self, visitproc visit, void* arg) {
    Py_VISIT(Py_TYPE(self));
    Pending& inner = pending_of(self);
    Py_VISIT(inner.loop.get());
    Py_VISIT(inner.callback.get());
    Py_VISIT(inner.context.get());
    Py_VISIT(inner.others.get());
    Py_VISIT(inner.outcome.get());
    return 0;
}

int clear(PyObject* self) {
    Pending& inner = pending_of(self);
    inner.callback.reset();
    inner.context.reset();
    inner.others.reset();
    inner.outcome.reset();
    return 0;
}

void deallocate(PyObject* self) {
    PyTypeObject* type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    pending_of(self).~Pending();
    type->tp_free(self);
    Py_DECREF(type);  // reference counting: an instance of a heap type owns its type
}

template <class Function>
PyCFunction as_method(Function function) {
    return reinterpret_cast<PyCFunction>(reinterpret_cast<void (*)()>(function));
}

PyMethodDef methods[] = {
    {"result", result, METH_NOARGS, "The value; raises the exception, CancelledError or InvalidStateError."},
    {"exception", exception, METH_NOARGS, "The exception or None; raises CancelledError or InvalidStateError."},
    {"done", done, METH_NOARGS, "Whether it has ended, in whatever way."},
    {"cancelled", cancelled, METH_NOARGS, "Whether it was cancelled."},
    {"cancel", as_method(&cancel), METH_VARARGS | METH_KEYWORDS, "cancel(msg=None) -> whether it was still waiting"},
    {"_make_cancelled_error", make_cancelled_error, METH_NOARGS, "The CancelledError of a cancelled one, for asyncio."},
    {"get_loop", get_loop, METH_NOARGS, "The event loop it belongs to."},
    {"add_done_callback", as_method(&add_done_callback), METH_FASTCALL | METH_KEYWORDS, "add_done_callback(fn, *, context=None)"},
    {"remove_done_callback", remove_done_callback, METH_O, "Removes all of this callback; how many they were."},
    {nullptr, nullptr, 0, nullptr},
};

PyGetSetDef attributes[] = {
    {"_asyncio_future_blocking", get_blocking, set_blocking, "asyncio's mark of a future that a task waits for.", nullptr},
    {"_cancel_message", get_cancel_message, nullptr, "What cancel() was given, for asyncio.", nullptr},
    {nullptr, nullptr, nullptr, nullptr, nullptr},
};

PyType_Slot slots[] = {
    {Py_tp_doc, const_cast<char*>("The outcome of an operation on an event loop, to be awaited once.")},
    {Py_tp_dealloc, reinterpret_cast<void*>(&deallocate)},
    {Py_tp_traverse, reinterpret_cast<void*>(&traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(&clear)},
    {Py_tp_iter, reinterpret_cast<void*>(&self_itself)},
    {Py_tp_iternext, reinterpret_cast<void*>(&next)},
    {Py_am_await, reinterpret_cast<void*>(&self_itself)},
    {Py_am_send, reinterpret_cast<void*>(&send)},
    {Py_tp_methods, methods},
    {Py_tp_getset, attributes},
    {0, nullptr},
};

PyType_Spec spec = {"barewire._core.Pending", sizeof(PendingObject), 0,
                    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_BASETYPE | Py_TPFLAGS_DISALLOW_INSTANTIATION, slots};

PyMethodDef coroutine_methods[] = {
    {"send", send_method, METH_O, "One step of a coroutine: the future itself while it waits, then StopIteration."},
    {"throw", throw_method, METH_VARARGS, "Gives up waiting and raises the exception."},
    {"close", close_method, METH_NOARGS, "Gives up waiting."},
    {nullptr, nullptr, 0, nullptr},
};

PyType_Slot coroutine_slots[] = {
    {Py_tp_doc, const_cast<char*>("A Pending that asyncio.create_task and TaskGroup.create_task take as a coroutine.")},
    {Py_tp_dealloc, reinterpret_cast<void*>(&deallocate)},
    {Py_tp_traverse, reinterpret_cast<void*>(&traverse)},
    {Py_tp_clear, reinterpret_cast<void*>(&clear)},
    {Py_tp_methods, coroutine_methods},
    {0, nullptr},
};

PyType_Spec coroutine_spec = {"barewire._core.PendingCoroutine", sizeof(PendingObject), 0,
                              Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_DISALLOW_INSTANTIATION,
                              coroutine_slots};

}  // namespace

Ref new_pending(ModuleState& state, PyObject* loop, bool coroutine) {
    auto* type = reinterpret_cast<PyTypeObject*>((coroutine ? state.pending_coroutine_type : state.pending_type).get());
    Ref self = Ref::steal(type->tp_alloc(type, 0));
    if (!self) return {};
    new (&pending_of(self.get())) Pending();
    pending_of(self.get()).loop = Ref::share(loop);
    return self;
}

void tell_cancellation(PyObject* pending, Cancellation* cancellation) noexcept {
    pending_of(pending).cancellation = cancellation;
}

bool pending_done(PyObject* pending) noexcept { return pending_of(pending).state != Outcome::waiting; }

bool resolve_pending(PyObject* pending, Ref value) { return Pending::finish(pending, Outcome::value, std::move(value)); }

bool reject_pending(PyObject* pending, Ref exception) {
    return Pending::finish(pending, Outcome::exception, std::move(exception));
}

void drop_pending(PyObject* pending) noexcept {
    Pending& inner = pending_of(pending);
    if (inner.state != Outcome::waiting) return;
    inner.state = Outcome::cancelled;
    inner.cancellation = nullptr;
    inner.callback.reset();
    inner.context.reset();
    inner.others.reset();
}

bool add_pending(PyObject* module, ModuleState& state) {
    if (!add_type(module, spec, state.pending_type)) return false;
    Ref bases = Ref::steal(PyTuple_Pack(1, state.pending_type.get()));
    if (!bases) return false;
    state.pending_coroutine_type = Ref::steal(PyType_FromModuleAndSpec(module, &coroutine_spec, bases.get()));
    return state.pending_coroutine_type &&
           PyModule_AddType(module, reinterpret_cast<PyTypeObject*>(state.pending_coroutine_type.get())) == 0;
}

}  // namespace barewire::bind
