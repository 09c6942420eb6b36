// System calls and TLS calls of one connection. No framing here.
#include "net/mongo/channel.h"

#include <mongoc/mongoc.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#if !defined(MSG_NOSIGNAL)
#define MSG_NOSIGNAL 0
#endif

namespace barewire::net::mongo {

bool Transfer::again() const noexcept { return error == EAGAIN || error == EWOULDBLOCK || error == EINTR; }

Channel::Channel(int descriptor, _mongoc_stream_t* tls, std::unique_ptr<StreamState> state) noexcept
    : descriptor_(descriptor), tls_(tls), state_(std::move(state)) {}

Channel::Channel(Channel&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)), tls_(std::exchange(other.tls_, nullptr)),
      state_(std::move(other.state_)) {}

Channel& Channel::operator=(Channel&& other) noexcept {
    if (this != &other) {
        close();
        descriptor_ = std::exchange(other.descriptor_, -1);
        tls_ = std::exchange(other.tls_, nullptr);
        state_ = std::move(other.state_);
    }
    return *this;
}

void Channel::close() noexcept {
    // The TLS stream owns the descriptor.
    if (tls_) mongoc_stream_destroy(std::exchange(tls_, nullptr));
    else if (descriptor_ >= 0) ::close(descriptor_);
    descriptor_ = -1;
}

void Channel::abandon() noexcept {
    // Closing the child's copy of the descriptor sends nothing; destroying TLS would send close_notify.
    if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
    tls_ = nullptr;
}

Transfer Channel::send(const iovec* parts, std::size_t count, bool at_once) noexcept {
    Transfer transfer;
    msghdr message{};
    message.msg_iov = const_cast<iovec*>(parts);
    message.msg_iovlen = count;
    const ssize_t sent = ::sendmsg(descriptor_, &message, MSG_NOSIGNAL | (at_once ? MSG_DONTWAIT : 0));
    if (sent >= 0) transfer.count = static_cast<std::size_t>(sent);
    else transfer.error = errno;
    return transfer;
}

Transfer Channel::receive(std::uint8_t* to, std::size_t size, bool at_once) noexcept {
    Transfer transfer;
    if (tls_) {
        errno = 0;
        const ssize_t got = mongoc_stream_read(tls_, to, size, 1, 0);
        if (got > 0) transfer.count = static_cast<std::size_t>(got);
        else if (mongoc_stream_should_retry(tls_)) transfer.error = EAGAIN;
        else if (errno != 0 && errno != ETIMEDOUT) transfer.error = errno;
        return transfer;
    }
    const ssize_t got = ::recv(descriptor_, to, size, at_once ? MSG_DONTWAIT : 0);
    if (got >= 0) transfer.count = static_cast<std::size_t>(got);
    else transfer.error = errno;
    return transfer;
}

Transfer Channel::send_secure(const iovec* parts, std::size_t count, std::chrono::milliseconds limit,
                              Interrupt* interrupt) noexcept {
    Transfer transfer;
    std::size_t wanted = 0;
    for (std::size_t i = 0; i < count; ++i) wanted += parts[i].iov_len;
    *state_ = {};
    state_->interrupt = interrupt;
    errno = 0;
    const ssize_t sent =
        mongoc_stream_writev(tls_, const_cast<mongoc_iovec_t*>(reinterpret_cast<const mongoc_iovec_t*>(parts)), count,
                             static_cast<std::int32_t>(limit.count()));
    state_->interrupt = nullptr;
    if (sent == static_cast<ssize_t>(wanted)) transfer.count = wanted;
    else if (state_->timed_out) transfer.error = ETIMEDOUT;
    else transfer.error = state_->error ? state_->error : EPIPE;
    return transfer;
}

void Channel::set_slices() noexcept {
    const timeval slice{0, 100000};
    ::setsockopt(descriptor_, SOL_SOCKET, SO_RCVTIMEO, &slice, sizeof slice);
    ::setsockopt(descriptor_, SOL_SOCKET, SO_SNDTIMEO, &slice, sizeof slice);
}

bool Channel::stale() noexcept {
    // Between operations the server has nothing to say, except TLS session tickets.
    char byte;
    const ssize_t got = ::recv(descriptor_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
    if (got == 0) return true;
    if (got > 0) return tls_ == nullptr;
    return errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR;
}

}  // namespace barewire::net::mongo
