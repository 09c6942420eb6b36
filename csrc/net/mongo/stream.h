// The socket under libmongoc: our own mongoc_stream_t, so that the descriptor stays ours when libmongoc has finished its
// handshake. Handshakes and messages may not live here.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <string>

#include "net/blocking.h"
#include "net/failure.h"

struct _mongoc_stream_t;

namespace barewire::net::mongo {

using Clock = std::chrono::steady_clock;

// Where to connect.
struct Endpoint {
    std::string host;   // name, address or socket path
    std::uint16_t port = 27017;
    bool local = false; // Unix socket
};

// "host:port", "[v6]:port" or a path that ends in ".sock".
Endpoint parse_endpoint(const std::string& address);

// getaddrinfo and a connect with a deadline, address by address. Returns a descriptor (blocking mode, close-on-exec,
// TCP_NODELAY, keepalive) or -1 and `failure`. `cancelled` is looked at every 0.1 s; DNS cannot be interrupted.
int open_socket(const Endpoint& endpoint, Clock::time_point deadline, const std::atomic<bool>& cancelled,
                Failure& failure) noexcept;

// What went wrong last on a stream; libmongoc's own error text seldom says.
struct StreamState {
    const std::atomic<bool>* cancelled = nullptr;
    Interrupt* interrupt = nullptr;   // asked every 0.1 s of waiting
    int error = 0;            // errno of the last failed call
    bool timed_out = false;
    bool ended = false;       // the server closed the connection
};

// A stream over `descriptor`. Reads and writes never block longer than libmongoc asks for. Destroying it closes the
// descriptor unless `release_stream` came first. `state` must outlive it. nullptr: no memory.
_mongoc_stream_t* make_socket_stream(int descriptor, StreamState* state) noexcept;
// A stream in front of a TLS stream that survives it: destroying it leaves `inner` alive after `release_stream`.
_mongoc_stream_t* make_outer_stream(_mongoc_stream_t* inner) noexcept;
// For either kind: from now on it only refuses, and destroying it closes nothing.
void release_stream(_mongoc_stream_t* stream) noexcept;
// For a socket stream that lives on under TLS.
void set_stream_state(_mongoc_stream_t* stream, StreamState* state) noexcept;

}  // namespace barewire::net::mongo
