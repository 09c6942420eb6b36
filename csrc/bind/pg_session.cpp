// The inside of a PostgreSQL connection object: its lock, its time zone, what the server says unasked.
#include <chrono>
#include <cstring>
#include <new>
#include <string_view>
#include <utility>

#include "bind/pg_call.h"
#include "bind/pg_listen.h"
#include "bind/pg_plan.h"
#include "bind/pg_types.h"
#include "bind/pg_wait.h"
#include "net/pg/statement_text.h"
#include "py/compat.h"

namespace barewire::bind {

using py::Ref;

// --- one thread at a time ----------------------------------------------------------------------------------------------
bool Turnstile::enter() {
    const std::thread::id self = std::this_thread::get_id();
    if (held_ && owner_ == self) {
        raise_psycopg("ProgrammingError", "this thread is using the connection already: a signal handler or a callback of "
                                          "its own call cannot use it too");
        return false;
    }
    // Whoever has just left stands behind those that wait.
    if (held_ || waiting_ != 0) {
        ++waiting_;
        bool raised = false;
        do {
            PyThreadState* state = PyEval_SaveThread();
            {
                std::unique_lock lock(mutex_);
                changed_.wait_for(lock, std::chrono::milliseconds(100), [this] { return free_; });
                free_ = false;
            }
            take_gil_back(state);
            raised = PyErr_CheckSignals() != 0;
        } while (held_ && !raised);
        --waiting_;
        if (raised) {
            if (!held_) wake();  // another one's turn
            return false;
        }
    }
    held_ = true;
    owner_ = self;
    return true;
}

void Turnstile::leave() noexcept {
    held_ = false;
    if (waiting_ != 0) wake();
}

void Turnstile::wake() noexcept {
    std::lock_guard lock(mutex_);
    free_ = true;
    changed_.notify_one();
}

void Turnstile::open_after_fork() noexcept {
    // Made anew where they are: they may be locked, and there is nobody to unlock them.
    new (&mutex_) std::mutex();
    new (&changed_) std::condition_variable();
    held_ = free_ = false;
    waiting_ = 0;
}

// --- values ------------------------------------------------------------------------------------------------------------
walk::PgDecoding PgSession::decoding() noexcept { return {profile->module->pg_kinds, *profile->types, settings}; }
walk::PgEncoding PgSession::encoding() noexcept { return {profile->module->pg_kinds, *profile->types, settings}; }

bool PgSession::update_timezone(const net::pg::Operation& operation) {
    const char* name = operation.parameter_status("TimeZone");
    if (name == nullptr) name = "UTC";
    if (timezone_name == name) return true;
    Ref text = Ref::steal(PyUnicode_DecodeUTF8(name, static_cast<Py_ssize_t>(std::strlen(name)), "replace"));
    Ref zone = text ? Ref::steal(PyObject_CallOneArg(profile->timezone.get(), text.get())) : Ref();
    if (!zone) return false;
    settings.timezone = std::move(zone);
    timezone_name = name;
    return true;
}

// --- unasked -----------------------------------------------------------------------------------------------------------
namespace {

constexpr std::size_t most_notices = 1000;  // of one statement; later ones are dropped
constexpr char notice_fields[] = {'S', 'V', 'C', 'M', 'D', 'H', 'P', 'p', 'q', 'W', 's', 't', 'c', 'd', 'n', 'F', 'L', 'R'};

// notice(handlers: list, fields: dict[int, bytes]) -> None
bool tell_notice(const PgSession& session, const Notice& notice) {
    Ref fields = Ref::steal(PyDict_New());
    if (!fields) return false;
    for (const auto& [letter, text] : notice.fields) {
        Ref key = Ref::steal(PyLong_FromLong(letter));
        Ref value = Ref::steal(PyBytes_FromStringAndSize(text.data(), static_cast<Py_ssize_t>(text.size())));
        if (!key || !value || PyDict_SetItem(fields.get(), key.get(), value.get()) < 0) return false;
    }
    PyObject* arguments[] = {session.notice_handlers.get(), fields.get()};
    return static_cast<bool>(Ref::steal(PyObject_Vectorcall(session.profile->notice.get(), arguments, 2, nullptr)));
}

}  // namespace

void PgSession::notice(const net::pg::Result& notice) noexcept {
    if (notices.size() >= most_notices || PyList_GET_SIZE(notice_handlers.get()) == 0) return;
    try {
        Notice kept;
        for (char letter : notice_fields) {
            const std::string_view field = notice.error_field(static_cast<net::pg::ErrorField>(letter));
            if (!field.empty()) kept.fields.emplace_back(letter, field);
        }
        notices.push_back(std::move(kept));
    } catch (const std::bad_alloc&) {
        // A notice less is better than a connection less.
    }
}

void PgSession::notification(std::string_view channel, std::string_view payload, int process) noexcept {
    try {
        notifications.push_back({std::string(channel), std::string(payload), process});
    } catch (const std::bad_alloc&) {
        return;
    }
    wake_waits(*this, true);
}

void PgSession::lost(const net::Failure&) noexcept { wake_waits(*this, false); }

void PgSession::deliver_notices() {
    while (!notices.empty()) {
        std::vector<Notice> now = std::move(notices);
        notices.clear();
        for (const Notice& one : now) {
            if (!tell_notice(*this, one)) PyErr_WriteUnraisable(notice_handlers.get());
        }
    }
}

// --- state -------------------------------------------------------------------------------------------------------------
bool PgSession::usable() {
    if (closed || close_wanted) {
        raise_psycopg("OperationalError", lent_once ? "the connection was given back to its pool" : "the connection is closed");
        return false;
    }
    if (shared) return true;
    if (link->connected()) return true;
    if (!opened) {
        raise_psycopg("OperationalError", "the connection is not open");
    } else if (link->broken()) {
        raise_pg_failure(*profile, link->broken(), {}, PgFailed::connecting);
    } else {
        raise_psycopg("OperationalError", "the connection is lost");
    }
    return false;
}

void PgSession::submit(net::pg::Operation& operation, net::Reactor& loop, std::string_view text) noexcept {
    if (shared) {
        shared->submit(operation, pipelining && net::pg::leaves_nothing_behind(text));
    } else {
        link->submit(operation, loop);
    }
}

bool enter_loop(PgSession& session, net::Reactor& reactor) {
    std::shared_ptr<net::Reactor> current = session.reactor.lock();
    if (current.get() == &reactor) return true;
    if (current && !current->closed() && (session.link->busy() || !session.waits.empty())) {
        raise_psycopg("InterfaceError", "the connection is in use on another event loop");
        return false;
    }
    session.reactor = reactor.shared_from_this();
    return true;
}

}  // namespace barewire::bind
