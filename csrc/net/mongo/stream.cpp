// mongoc_stream_t functions over a socket of ours. No handshake logic here.
#include "net/mongo/stream.h"

#include <mongoc/mongoc.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <new>
#include <utility>
#include <unistd.h>

#if !defined(MSG_NOSIGNAL)
#define MSG_NOSIGNAL 0
#endif

namespace barewire::net::mongo {

namespace {

constexpr int stream_type = 100;  // libmongoc's own are below 10
constexpr int slice_milliseconds = 100;

// `base` first: libmongoc holds pointers to it. Allocated by new, freed in destroy.
struct SocketStream {
    mongoc_stream_t base{};
    int descriptor = -1;
    StreamState* state = nullptr;
    bool released = false;
    int last_error = 0;
};
struct OuterStream {
    mongoc_stream_t base{};
    mongoc_stream_t* inner = nullptr;
    bool released = false;
};
static_assert(offsetof(SocketStream, base) == 0 && offsetof(OuterStream, base) == 0);

SocketStream& socket_of(mongoc_stream_t* stream) noexcept { return *reinterpret_cast<SocketStream*>(stream); }
OuterStream& outer_of(mongoc_stream_t* stream) noexcept { return *reinterpret_cast<OuterStream*>(stream); }

bool would_block(int error) noexcept { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

void note(SocketStream& stream, int error) noexcept {
    stream.last_error = error;
    errno = error;
    if (!stream.state || would_block(error)) return;
    stream.state->error = error;
    if (error == ETIMEDOUT) stream.state->timed_out = true;
}

// Waits for readiness; true when something may be possible. False: errno is set (EAGAIN for a wait of zero).
bool wait(SocketStream& stream, short events, Clock::time_point deadline, bool at_once) noexcept {
    if (at_once) return note(stream, EAGAIN), false;
    for (;;) {
        if (stream.state && stream.state->cancelled && stream.state->cancelled->load(std::memory_order_relaxed))
            return note(stream, ECANCELED), false;
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
        if (left <= 0) return note(stream, ETIMEDOUT), false;
        pollfd entry{stream.descriptor, events, 0};
        const int ready = ::poll(&entry, 1, static_cast<int>(std::min<long long>(left + 1, slice_milliseconds)));
        if (ready > 0) return true;
        if (ready < 0 && errno != EINTR) return note(stream, errno), false;
        if (stream.state && stream.state->interrupt && stream.state->interrupt->interrupted())
            return note(stream, ECANCELED), false;
    }
}

Clock::time_point deadline_after(std::int32_t milliseconds) noexcept {
    return Clock::now() + std::chrono::milliseconds(milliseconds < 0 ? 3600000 : milliseconds);
}

ssize_t socket_writev(mongoc_stream_t* base, mongoc_iovec_t* parts, size_t count, std::int32_t timeout) {
    SocketStream& stream = socket_of(base);
    if (stream.released) return errno = EPIPE, -1;
    const Clock::time_point deadline = deadline_after(timeout);
    ssize_t total = 0;
    for (size_t i = 0; i < count; ++i) {
        const char* data = static_cast<const char*>(parts[i].iov_base);
        size_t left = parts[i].iov_len;
        while (left != 0) {
            const ssize_t sent = ::send(stream.descriptor, data, left, MSG_NOSIGNAL | MSG_DONTWAIT);
            if (sent >= 0) {
                data += sent;
                left -= static_cast<size_t>(sent);
                total += sent;
                continue;
            }
            if (!would_block(errno)) return note(stream, errno), -1;
            if (!wait(stream, POLLOUT, deadline, timeout == 0)) return total ? total : -1;
        }
    }
    return total;
}

ssize_t socket_readv(mongoc_stream_t* base, mongoc_iovec_t* parts, size_t count, size_t least, std::int32_t timeout) {
    SocketStream& stream = socket_of(base);
    if (stream.released) return errno = EPIPE, -1;
    const Clock::time_point deadline = deadline_after(timeout);
    ssize_t total = 0;
    for (size_t i = 0; i < count; ++i) {
        char* data = static_cast<char*>(parts[i].iov_base);
        size_t left = parts[i].iov_len;
        while (left != 0) {
            const ssize_t got = ::recv(stream.descriptor, data, left, MSG_DONTWAIT);
            if (got > 0) {
                data += got;
                left -= static_cast<size_t>(got);
                total += got;
                continue;
            }
            if (got == 0) {
                if (stream.state) stream.state->ended = true;
                stream.last_error = 0;
                return total >= static_cast<ssize_t>(least) ? total : (errno = ECONNRESET, -1);
            }
            if (!would_block(errno)) return note(stream, errno), -1;
            if (total > 0 && total >= static_cast<ssize_t>(least)) return total;
            if (!wait(stream, POLLIN, deadline, timeout == 0)) return -1;
        }
    }
    return total;
}

ssize_t socket_poll(mongoc_stream_poll_t* streams, size_t count, std::int32_t timeout) {
    // libmongoc polls the streams of one topology: for a direct client that is one.
    pollfd entries[8];
    const size_t used = std::min<size_t>(count, 8);
    for (size_t i = 0; i < used; ++i)
        entries[i] = {socket_of(streams[i].stream).descriptor, static_cast<short>(streams[i].events), 0};
    const Clock::time_point deadline = deadline_after(timeout);
    for (;;) {
        SocketStream& first = socket_of(streams[0].stream);
        if (first.state && first.state->cancelled && first.state->cancelled->load(std::memory_order_relaxed)) {
            for (size_t i = 0; i < used; ++i) streams[i].revents = POLLERR;
            note(first, ECANCELED);
            return static_cast<ssize_t>(used);
        }
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
        const int slice = static_cast<int>(std::clamp<long long>(left, 0, slice_milliseconds));
        const int ready = ::poll(entries, used, slice);
        if (ready < 0 && errno != EINTR) return -1;
        if (ready > 0 || left <= 0) {
            for (size_t i = 0; i < used; ++i) streams[i].revents = entries[i].revents;
            return ready < 0 ? 0 : ready;
        }
    }
}

void socket_destroy(mongoc_stream_t* base) {
    SocketStream* stream = &socket_of(base);
    if (!stream->released && stream->descriptor >= 0) ::close(stream->descriptor);
    delete stream;
}

int socket_close(mongoc_stream_t* base) {
    SocketStream& stream = socket_of(base);
    if (!stream.released && stream.descriptor >= 0) ::close(std::exchange(stream.descriptor, -1));
    return 0;
}

int socket_setsockopt(mongoc_stream_t* base, int level, int name, void* value, mongoc_socklen_t size) {
    return ::setsockopt(socket_of(base).descriptor, level, name, value, size);
}

bool socket_check_closed(mongoc_stream_t* base) {
    SocketStream& stream = socket_of(base);
    char byte;
    const ssize_t got = ::recv(stream.descriptor, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    return got == 0 || (got < 0 && !would_block(errno));
}

bool socket_timed_out(mongoc_stream_t* base) { return socket_of(base).last_error == ETIMEDOUT; }
bool socket_should_retry(mongoc_stream_t* base) { return would_block(socket_of(base).last_error); }
int stream_flush(mongoc_stream_t*) { return 0; }

ssize_t outer_writev(mongoc_stream_t* base, mongoc_iovec_t* parts, size_t count, std::int32_t timeout) {
    OuterStream& stream = outer_of(base);
    if (stream.released) return errno = EPIPE, -1;
    return mongoc_stream_writev(stream.inner, parts, count, timeout);
}

ssize_t outer_readv(mongoc_stream_t* base, mongoc_iovec_t* parts, size_t count, size_t least, std::int32_t timeout) {
    OuterStream& stream = outer_of(base);
    if (stream.released) return errno = EPIPE, -1;
    return mongoc_stream_readv(stream.inner, parts, count, least, timeout);
}

void outer_destroy(mongoc_stream_t* base) {
    OuterStream* stream = &outer_of(base);
    if (!stream->released) mongoc_stream_destroy(stream->inner);
    delete stream;
}

int outer_close(mongoc_stream_t* base) {
    OuterStream& stream = outer_of(base);
    return stream.released ? 0 : mongoc_stream_close(stream.inner);
}

int outer_setsockopt(mongoc_stream_t* base, int level, int name, void* value, mongoc_socklen_t size) {
    return mongoc_stream_setsockopt(outer_of(base).inner, level, name, value, size);
}

bool outer_check_closed(mongoc_stream_t* base) { return mongoc_stream_check_closed(outer_of(base).inner); }
bool outer_timed_out(mongoc_stream_t* base) { return mongoc_stream_timed_out(outer_of(base).inner); }
bool outer_should_retry(mongoc_stream_t* base) { return mongoc_stream_should_retry(outer_of(base).inner); }
mongoc_stream_t* outer_base(mongoc_stream_t* base) { return outer_of(base).inner; }

}  // namespace

_mongoc_stream_t* make_socket_stream(int descriptor, StreamState* state) noexcept {
    auto* stream = new (std::nothrow) SocketStream;
    if (!stream) return nullptr;
    stream->descriptor = descriptor;
    stream->state = state;
    mongoc_stream_t& base = stream->base;
    base.type = stream_type;
    base.destroy = base.failed = socket_destroy;
    base.close = socket_close;
    base.flush = stream_flush;
    base.writev = socket_writev;
    base.readv = socket_readv;
    base.setsockopt = socket_setsockopt;
    base.check_closed = socket_check_closed;
    base.poll = socket_poll;
    base.timed_out = socket_timed_out;
    base.should_retry = socket_should_retry;
    return &base;
}

_mongoc_stream_t* make_outer_stream(_mongoc_stream_t* inner) noexcept {
    auto* stream = new (std::nothrow) OuterStream;
    if (!stream) return nullptr;
    stream->inner = inner;
    mongoc_stream_t& base = stream->base;
    base.type = stream_type + 1;
    base.destroy = base.failed = outer_destroy;
    base.close = outer_close;
    base.flush = stream_flush;
    base.writev = outer_writev;
    base.readv = outer_readv;
    base.setsockopt = outer_setsockopt;
    base.check_closed = outer_check_closed;
    base.timed_out = outer_timed_out;
    base.should_retry = outer_should_retry;
    base.get_base_stream = outer_base;
    return &base;
}

void release_stream(_mongoc_stream_t* stream) noexcept {
    if (stream->type == stream_type) socket_of(stream).released = true;
    else outer_of(stream).released = true;
}

void set_stream_state(_mongoc_stream_t* stream, StreamState* state) noexcept { socket_of(stream).state = state; }

}  // namespace barewire::net::mongo
