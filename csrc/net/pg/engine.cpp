// The shared parts of all PostgreSQL connections. Nothing about one connection may live here.
#include "net/pg/engine.h"

#include <new>
#include <utility>

#include "net/pg/libpq.h"

namespace barewire::net::pg {

namespace {

constexpr unsigned worker_limit = 16;

}  // namespace

std::shared_ptr<Engine> Engine::create(const char* library, std::string& why) {
    std::shared_ptr<const Libpq> libpq = Libpq::load(library, why);
    return libpq ? std::make_shared<Engine>(std::move(libpq)) : nullptr;
}

Engine::Engine(std::shared_ptr<const Libpq> libpq) : libpq_(std::move(libpq)), workers_(worker_limit) {}

Engine::~Engine() { close(); }

int Engine::library_version() const noexcept { return libpq_->version; }
bool Engine::can_chunk() const noexcept { return libpq_->PQsetChunkedRowsMode_ != nullptr; }
bool Engine::can_close_statements() const noexcept { return libpq_->PQsendClosePrepared_ != nullptr; }
bool Engine::can_cancel_encrypted() const noexcept { return libpq_->PQcancelCreate_ != nullptr; }

}  // namespace barewire::net::pg
