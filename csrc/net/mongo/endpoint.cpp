// Names to sockets: getaddrinfo, connect with a deadline, socket options. No libmongoc here.
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <system_error>
#include <utility>

#include "net/mongo/stream.h"

namespace barewire::net::mongo {

namespace {

void fail(Failure& failure, Failure::Kind kind, int code, std::string message) noexcept {
    failure.kind = kind;
    failure.code = code;
    failure.message = std::move(message);
}

std::string text_of(int error) { return std::generic_category().message(error); }

// The same limits as PyMongo sets, where the system's own are higher.
void set_keepalive(int descriptor) noexcept {
    const int on = 1;
    ::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::setsockopt(descriptor, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
    [[maybe_unused]] auto at_most = [descriptor](int option, int limit) {
        int now = 0;
        socklen_t size = sizeof now;
        if (::getsockopt(descriptor, IPPROTO_TCP, option, &now, &size) == 0 && now > limit)
            ::setsockopt(descriptor, IPPROTO_TCP, option, &limit, sizeof limit);
    };
#if defined(TCP_KEEPIDLE)
    at_most(TCP_KEEPIDLE, 120);
#endif
#if defined(TCP_KEEPINTVL)
    at_most(TCP_KEEPINTVL, 10);
#endif
#if defined(TCP_KEEPCNT)
    at_most(TCP_KEEPCNT, 9);
#endif
}

// 0, or errno of the attempt (ETIMEDOUT, ECANCELED by us).
int finish_connect(int descriptor, Clock::time_point deadline, const std::atomic<bool>& cancelled) noexcept {
    for (;;) {
        if (cancelled.load(std::memory_order_relaxed)) return ECANCELED;  // relaxed: a flag that is polled
        const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
        if (left <= 0) return ETIMEDOUT;
        pollfd entry{descriptor, POLLOUT, 0};
        const int ready = ::poll(&entry, 1, static_cast<int>(std::min<long long>(left + 1, 100)));
        if (ready < 0 && errno != EINTR) return errno;
        if (ready <= 0) continue;
        int error = 0;
        socklen_t size = sizeof error;
        if (::getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
        return error;
    }
}

// A connected descriptor in blocking mode, or -1 and errno in `error`.
int connect_one(int family, const sockaddr* address, socklen_t size, Clock::time_point deadline,
                const std::atomic<bool>& cancelled, int& error) noexcept {
    const int descriptor = ::socket(family, SOCK_STREAM, 0);
    if (descriptor < 0) {
        error = errno;
        return -1;
    }
    ::fcntl(descriptor, F_SETFD, FD_CLOEXEC);
    const int flags = ::fcntl(descriptor, F_GETFL);
    ::fcntl(descriptor, F_SETFL, flags | O_NONBLOCK);
    if (family != AF_UNIX) set_keepalive(descriptor);
#if defined(SO_NOSIGPIPE)
    const int on = 1;
    ::setsockopt(descriptor, SOL_SOCKET, SO_NOSIGPIPE, &on, sizeof on);
#endif
    error = 0;
    if (::connect(descriptor, address, size) != 0) {
        error = errno;
        if (error == EINPROGRESS || error == EINTR || error == EAGAIN)
            error = finish_connect(descriptor, deadline, cancelled);
    }
    if (error != 0) {
        ::close(descriptor);
        return -1;
    }
    ::fcntl(descriptor, F_SETFL, flags);
    return descriptor;
}

int open_local(const Endpoint& endpoint, Clock::time_point deadline, const std::atomic<bool>& cancelled, int& error) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    if (endpoint.host.size() >= sizeof address.sun_path) {
        error = ENAMETOOLONG;
        return -1;
    }
    std::memcpy(address.sun_path, endpoint.host.data(), endpoint.host.size());
    return connect_one(AF_UNIX, reinterpret_cast<const sockaddr*>(&address), sizeof address, deadline, cancelled, error);
}

}  // namespace

Endpoint parse_endpoint(const std::string& address) {
    Endpoint endpoint;
    if (address.find('/') != address.npos || address.ends_with(".sock")) {
        endpoint.local = true;
        endpoint.host = address;
        // A socket is sometimes named like a host, with a port behind it.
        if (const auto colon = address.rfind(".sock:"); colon != address.npos) endpoint.host.resize(colon + 5);
        return endpoint;
    }
    const auto colon = address.rfind(':');
    const bool bracket = !address.empty() && address[0] == '[';
    const bool port = colon != address.npos && (address.find(':') == colon || (bracket && address[colon - 1] == ']'));
    endpoint.host = port ? address.substr(0, colon) : address;
    if (port) {
        const long number = std::strtol(address.c_str() + colon + 1, nullptr, 10);
        if (number > 0 && number < 65536) endpoint.port = static_cast<std::uint16_t>(number);
    }
    if (endpoint.host.size() > 2 && endpoint.host.front() == '[' && endpoint.host.back() == ']')
        endpoint.host = endpoint.host.substr(1, endpoint.host.size() - 2);
    return endpoint;
}

int open_socket(const Endpoint& endpoint, Clock::time_point deadline, const std::atomic<bool>& cancelled,
                Failure& failure) noexcept {
    int error = 0;
    int descriptor = -1;
    if (endpoint.local) {
        descriptor = open_local(endpoint, deadline, cancelled, error);
    } else {
        addrinfo hints{};
        hints.ai_family = AF_UNSPEC;
        hints.ai_socktype = SOCK_STREAM;
        addrinfo* found = nullptr;
        const int resolved =
            ::getaddrinfo(endpoint.host.c_str(), std::to_string(endpoint.port).c_str(), &hints, &found);
        if (resolved != 0) {
            if (resolved == EAI_SYSTEM) fail(failure, Failure::Kind::network, errno, text_of(errno));
            else fail(failure, Failure::Kind::network, resolved, ::gai_strerror(resolved));
            return -1;
        }
        const std::unique_ptr<addrinfo, decltype(&::freeaddrinfo)> addresses(found, &::freeaddrinfo);
        std::size_t left = 0;
        for (const addrinfo* each = found; each; each = each->ai_next) ++left;
        for (const addrinfo* each = found; each && descriptor < 0; each = each->ai_next, --left) {
            // Every address gets its share of the time, so that a silent one does not use up the others'.
            const Clock::time_point now = Clock::now();
            const Clock::time_point until = now + (deadline - now) / static_cast<int>(left);
            descriptor = connect_one(each->ai_family, each->ai_addr, each->ai_addrlen, until, cancelled, error);
            if (error == ECANCELED) break;
        }
    }
    if (descriptor >= 0) return descriptor;
    if (error == ECANCELED) fail(failure, Failure::Kind::closed, 0, "client is closed");
    else if (error == ETIMEDOUT) fail(failure, Failure::Kind::network_timeout, error, "timed out");
    else fail(failure, Failure::Kind::network, error, text_of(error));
    return -1;
}

}  // namespace barewire::net::mongo
