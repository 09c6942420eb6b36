// Depth of recursion of one walk: the thread's own counter in place where it is known, else Py_EnterRecursiveCall.
#pragma once

#include "base/macros.h"
#include "py/python.h"

// Where the thread's counter is known and may be used.
#if !defined(BAREWIRE_PUBLIC_INTERNALS) && !defined(Py_GIL_DISABLED) && PY_VERSION_HEX >= 0x030b0000 && \
    PY_VERSION_HEX < 0x030e0000
#define BAREWIRE_RECURSION_IN_PLACE 1
#endif

namespace barewire::py {

// Belongs to one thread and one call from Python. Levels must be left in the reverse order of entering.
class RecursionCounter {
public:
    explicit RecursionCounter(const char* where) noexcept : where_(where) {}

    // False with RecursionError set; `leave` must not be called then.
    [[nodiscard]] BAREWIRE_INLINE bool enter() noexcept {
#ifdef BAREWIRE_RECURSION_IN_PLACE
        if (BAREWIRE_LIKELY(remaining() > 1)) {
            --remaining();
            return true;
        }
#endif
        return Py_EnterRecursiveCall(where_) == 0;
    }
    BAREWIRE_INLINE void leave() noexcept {
#ifdef BAREWIRE_RECURSION_IN_PLACE
        ++remaining();
#else
        Py_LeaveRecursiveCall();
#endif
    }

private:
#ifdef BAREWIRE_RECURSION_IN_PLACE
#if PY_VERSION_HEX >= 0x030c0000
    BAREWIRE_INLINE int& remaining() noexcept { return thread_->c_recursion_remaining; }
#else
    BAREWIRE_INLINE int& remaining() noexcept { return thread_->recursion_remaining; }
#endif
    PyThreadState* thread_ = PyThreadState_Get();
#endif
    const char* where_;
};

// One level; `entered()` is false with RecursionError set.
class RecursionLevel {
public:
    explicit BAREWIRE_INLINE RecursionLevel(RecursionCounter& counter) noexcept
        : counter_(counter), entered_(counter.enter()) {}
    BAREWIRE_INLINE ~RecursionLevel() {
        if (BAREWIRE_LIKELY(entered_)) counter_.leave();
    }
    RecursionLevel(const RecursionLevel&) = delete;
    RecursionLevel& operator=(const RecursionLevel&) = delete;
    bool entered() const noexcept { return entered_; }

private:
    RecursionCounter& counter_;
    bool entered_;
};

}  // namespace barewire::py
