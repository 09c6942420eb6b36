// What the tests against a real server share: its address, and commands as operations. No test cases here.
#pragma once

#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>

#include "net/mongo/client.h"
#include "net/mongo/document_view.h"
#include "support/catch.h"

namespace barewire::test {

namespace base = barewire::base;
using namespace barewire::net;
using namespace barewire::net::mongo;

// URI of the server under test; nullptr: the test cannot run, and says so.
inline const char* server_uri() {
    const char* uri = std::getenv("BAREWIRE_TEST_MONGODB");
    if (!uri || !*uri) WARN("skipped: BAREWIRE_TEST_MONGODB names no server");
    return uri && *uri ? uri : nullptr;
}

inline std::shared_ptr<Client> connect_client(const std::string& uri, std::uint32_t size = 10) {
    Settings settings;
    settings.uri = uri;
    settings.max_pool_size = size;
    return Client::create(settings);
}

// A command whose elements are appended one by one; what completes it is counted.
class Command : public Operation {
public:
    explicit Command(std::string name) {
        database = std::move(name);
        (void)body.reserve(header_size);
        body.advance(header_size);
    }
    Command& text(const char* key, const std::string& value) {
        element(0x02, key);
        (void)body.append_little<std::int32_t>(static_cast<std::int32_t>(value.size() + 1));
        (void)body.append(value.c_str(), value.size() + 1);
        return *this;
    }
    Command& int32(const char* key, std::int32_t value) {
        element(0x10, key);
        (void)body.append_little<std::int32_t>(value);
        return *this;
    }
    Command& timestamp(const char* key, std::uint32_t seconds, std::uint32_t increment) {
        element(0x11, key);
        (void)body.append_little<std::uint32_t>(increment);
        (void)body.append_little<std::uint32_t>(seconds);
        return *this;
    }
    Command& int64(const char* key, std::int64_t value) {
        element(0x12, key);
        (void)body.append_little<std::int64_t>(value);
        return *this;
    }
    Command& boolean(const char* key, bool value) {
        element(0x08, key);
        (void)body.append(value ? "\x01" : "", 1);
        return *this;
    }
    Command& document(const char* key, const Command& from, std::uint8_t type = 0x03) {
        element(type, key);
        (void)body.append_little<std::int32_t>(static_cast<std::int32_t>(from.body.size() - header_size + 5));
        (void)body.append(from.body.data() + header_size, from.body.size() - header_size);
        (void)body.append("", 1);
        return *this;
    }
    Command& array(const char* key, const Command& from) { return document(key, from, 0x04); }

    DocumentView answer() const { return {reply.data() + reply_document, reply_document_size}; }
    bool succeeded() const { return !failure && answer().find("ok").boolean(); }

    void completed() noexcept override { ++completions; }
    bool abandoned() noexcept override { return give_up; }
    int completions = 0;
    bool give_up = false;

protected:
    void destroy() noexcept override {}  // lives on the test's stack

private:
    void element(std::uint8_t type, const char* key) {
        (void)body.append(&type, 1);
        (void)body.append(key, std::strlen(key) + 1);
    }
};

// The elements of a command as a document of its own.
inline base::Buffer document_of(const Command& command) {
    base::Buffer document;
    const std::size_t size = command.body.size() - Operation::header_size;
    (void)document.append_little<std::int32_t>(static_cast<std::int32_t>(size + 5));
    (void)document.append(command.body.data() + Operation::header_size, size);
    (void)document.append("", 1);
    return document;
}

inline const std::function<bool()> never = [] { return false; };

// Slots in use once connections that are still being made have arrived; at most two seconds later.
inline std::uint32_t settled_use(const Client& client) {
    for (int i = 0; i < 40 && client.pool_stats().at(0).in_use != 0; ++i)
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
    return client.pool_stats().at(0).in_use;
}

inline std::int64_t cursor_size(const Command& command) {
    DocumentView batch(DocumentView(command.answer().find("cursor")).find("firstBatch"));
    Element element;
    std::int64_t count = 0;
    while (batch.next(element)) ++count;
    return count;
}

}  // namespace barewire::test
