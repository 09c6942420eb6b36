// Making one data connection: socket, TLS and the handshake of libmongoc; afterwards the bytes are ours. Blocking: workers
// only. Pools and retries may not live here.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "base/buffer.h"
#include "net/failure.h"
#include "net/mongo/channel.h"
#include "net/mongo/operation.h"

struct _mongoc_uri_t;

namespace barewire::net::mongo {

// A connection that has been made.
struct Connected {
    Channel channel;
    ServerFacts facts;
    base::Buffer hello;
    std::int64_t round_trip_microseconds = -1;
};

// Knows the credentials and options of the client's URI and connects to one server at a time. Thread-safe.
class Connector {
public:
    ~Connector();

    // Takes the parsed URI (after SRV and TXT records have been looked up); keeps a copy. Safe to call again.
    void set_uri(const _mongoc_uri_t* uri) noexcept;
    bool ready() const noexcept;

    // Blocks until connected and authenticated, or failed. `cancelled` is looked at every 0.1 s.
    bool connect(const std::string& address, const std::atomic<bool>& cancelled, Connected& result,
                 Failure& failure) noexcept;

private:
    mutable std::mutex mutex_;
    _mongoc_uri_t* uri_ = nullptr;
};

}  // namespace barewire::net::mongo
