// Scoped states of the interpreter: recursion, buffers, GIL, a saved error, a garbage collector pause.
#pragma once

#include <unistd.h>

#include "base/macros.h"
#include "py/python.h"

namespace barewire::py {

// Guards one level of C recursion; `entered()` is false with RecursionError set.
class RecursionGuard {
public:
    explicit RecursionGuard(const char* where) noexcept : entered_(Py_EnterRecursiveCall(where) == 0) {}
    ~RecursionGuard() {
        if (entered_) Py_LeaveRecursiveCall();
    }
    RecursionGuard(const RecursionGuard&) = delete;
    RecursionGuard& operator=(const RecursionGuard&) = delete;
    bool entered() const noexcept { return entered_; }

private:
    bool entered_;
};

// A contiguous read-only view of an object that has the buffer protocol.
class BufferView {
public:
    BufferView() noexcept = default;
    ~BufferView() {
        if (held_) PyBuffer_Release(&view_);
    }
    BufferView(const BufferView&) = delete;
    BufferView& operator=(const BufferView&) = delete;
    // False with TypeError or BufferError set.
    [[nodiscard]] bool acquire(PyObject* object) noexcept {
        held_ = PyObject_GetBuffer(object, &view_, PyBUF_SIMPLE) == 0;
        return held_;
    }
    const unsigned char* data() const noexcept { return static_cast<const unsigned char*>(view_.buf); }
    Py_ssize_t size() const noexcept { return view_.len; }
    // Bytes per item of the exporter; 1 for everything that is bytes-like in the narrow sense.
    Py_ssize_t item_size() const noexcept { return view_.itemsize; }

private:
    Py_buffer view_{};
    bool held_ = false;
};

// Releases the GIL for the lifetime of the object.
class WithoutGil {
public:
    WithoutGil() noexcept : state_(PyEval_SaveThread()) {}
    // Before 3.14 a daemon thread that asks for the GIL while the interpreter ends is unwound by pthread_exit.
    ~WithoutGil() noexcept(false) { PyEval_RestoreThread(state_); }
    WithoutGil(const WithoutGil&) = delete;
    WithoutGil& operator=(const WithoutGil&) = delete;

private:
    PyThreadState* state_;
};

// Around a call that runs Python code, from frames that hold references or are noexcept. Before CPython 3.14 a daemon thread
// that needs the GIL while the interpreter ends is unwound by pthread_exit; the frames would give their references back
// without the GIL. It stays here for ever instead, and the process ends under it.
class StayWhenUnwound {
public:
    StayWhenUnwound() noexcept = default;
    ~StayWhenUnwound() {
        while (!returned_) pause();
    }
    StayWhenUnwound(const StayWhenUnwound&) = delete;
    StayWhenUnwound& operator=(const StayWhenUnwound&) = delete;
    void returned() noexcept { returned_ = true; }

private:
    bool returned_ = false;
};

// Pauses the cyclic garbage collector while one batch is decoded, if it was on and if `wanted`. No user code may run
// meanwhile: the collector is one switch of the whole process.
class CollectorPause {
public:
    explicit CollectorPause(bool wanted = true) noexcept : was_enabled_(wanted && PyGC_Disable() == 1) {}
    ~CollectorPause() {
        if (was_enabled_) PyGC_Enable();
    }
    CollectorPause(const CollectorPause&) = delete;
    CollectorPause& operator=(const CollectorPause&) = delete;

private:
    bool was_enabled_;
};

}  // namespace barewire::py
