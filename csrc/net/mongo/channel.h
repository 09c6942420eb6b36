// The bytes of one connection: a socket, or TLS over it, read and written without knowing messages.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>

struct _mongoc_stream_t;

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
    Channel(int descriptor, _mongoc_stream_t* tls) noexcept : descriptor_(descriptor), tls_(tls) {}
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

    // Plain sockets block at most for the slice set by `set_slices` unless `at_once`; TLS never blocks.
    Transfer send(const iovec* parts, std::size_t count, bool at_once) noexcept;
    Transfer receive(std::uint8_t* to, std::size_t size, bool at_once) noexcept;
    // Lets blocking calls return with EAGAIN after 0.1 s, so that a signal is seen.
    void set_slices() noexcept;
    // One system call: has the server hung up, or said something unasked?
    bool stale() noexcept;

private:
    int descriptor_ = -1;
    _mongoc_stream_t* tls_ = nullptr;
};

}  // namespace barewire::net::mongo
