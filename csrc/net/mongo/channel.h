// The bytes of one connection: a socket, or TLS over it, read and written without knowing messages.
#pragma once

#include <sys/uio.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "net/blocking.h"
#include "net/mongo/stream.h"

namespace barewire::net::mongo {

// How a call ended; `error` of Transfer is an errno.
struct Transfer {
    std::size_t count = 0;      // bytes moved
    int error = 0;              // 0: `count` bytes were moved (0 of a read: the server has hung up)
    bool again() const noexcept;  // nothing is broken: wait for the descriptor, or for the next slice
};

// Owns the descriptor and the TLS stream. Not thread-safe; moves with the connection's ownership.
class Channel {
public:
    Channel() noexcept = default;
    // `state` is that of the socket stream under `tls`.
    Channel(int descriptor, _mongoc_stream_t* tls, std::unique_ptr<StreamState> state) noexcept;
    Channel(const Channel&) = delete;
    Channel& operator=(const Channel&) = delete;
    Channel(Channel&& other) noexcept;
    Channel& operator=(Channel&& other) noexcept;
    ~Channel() { close(); }

    void close() noexcept;
    // In a fork's child: forgets descriptor and TLS state without a byte to the server.
    void abandon() noexcept;
    bool open() const noexcept { return descriptor_ >= 0; }
    bool secure() const noexcept { return tls_ != nullptr; }
    int descriptor() const noexcept { return descriptor_; }

    // Plain sockets block at most for the slice set by `set_slices` unless `at_once`.
    Transfer send(const iovec* parts, std::size_t count, bool at_once) noexcept;
    // As send(); TLS never blocks here.
    Transfer receive(std::uint8_t* to, std::size_t size, bool at_once) noexcept;
    // TLS only, instead of send(): everything or an error (ETIMEDOUT, ECANCELED), because a TLS record that was begun
    // must be ended by the same call. Blocks; `interrupt` is asked every 0.1 s.
    Transfer send_secure(const iovec* parts, std::size_t count, std::chrono::milliseconds limit,
                         Interrupt* interrupt) noexcept;
    // Lets blocking calls return with EAGAIN after 0.1 s, so that a signal is seen.
    void set_slices() noexcept;
    // One system call: has the server hung up, or said something unasked?
    bool stale() noexcept;

private:
    int descriptor_ = -1;
    _mongoc_stream_t* tls_ = nullptr;
    std::unique_ptr<StreamState> state_;
};

}  // namespace barewire::net::mongo
