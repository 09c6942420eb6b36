// Why an operation of the network layers failed; turned into an exception only by bind/errors.
#pragma once

#include <cstdint>
#include <string>

namespace barewire::net {

struct Failure {
    enum class Kind : std::uint8_t {
        none,
        server_selection,      // no suitable server within its deadline
        network,               // connecting, sending or receiving failed
        network_timeout,       // the same by a timeout of ours
        wait_queue_timeout,    // no connection became free in time
        closed,                // the client was closed
        cancelled,             // the caller gave it up
        configuration,         // the URI or an option is wrong
        authentication,        // the server refused the credentials
        protocol,              // the peer's bytes make no sense
        interrupted,           // a signal handler raised
        out_of_memory,
        server,                // the server answered with an error, which is kept beside
        refused,               // the layer above stopped it and knows why
    };

    Kind kind = Kind::none;
    int code = 0;              // errno or the client library's code, 0: none
    std::string message;
    std::string address;       // "host:port" of the server, if one is concerned

    explicit operator bool() const noexcept { return kind != Kind::none; }
};

}  // namespace barewire::net
