// Starting libmongoc once per process. Nothing else of libmongoc may live here.
#pragma once

namespace barewire::net::mongo {

struct Settings;

// Idempotent and thread-safe. Silences libmongoc's log and names this driver in handshakes (the first caller's names stay:
// libmongoc takes them once). libmongoc is never cleaned up: it cannot be started again.
void start_library(const Settings& settings) noexcept;

}  // namespace barewire::net::mongo
