// Addresses, sockets with deadlines, and the stores of reply buffers.
#include <atomic>
#include <cerrno>

#include "net/mongo/live.h"
#include "net/mongo/reply_buffers.h"
#include "net/mongo/stream.h"

using namespace barewire::test;

TEST_CASE("addresses are taken apart") {
    auto is = [](const char* text, const char* host, int port, bool local = false) {
        const Endpoint endpoint = parse_endpoint(text);
        return endpoint.host == host && endpoint.port == port && endpoint.local == local;
    };
    REQUIRE(is("localhost:27018", "localhost", 27018));
    REQUIRE(is("localhost", "localhost", 27017));
    REQUIRE(is("[::1]:5", "::1", 5));
    REQUIRE(is("[::1]", "::1", 27017));
    REQUIRE(is("::1", "::1", 27017));
    REQUIRE(is("/tmp/mongodb-27017.sock", "/tmp/mongodb-27017.sock", 27017, true));
    REQUIRE(is("/tmp/mongodb-27017.sock:27017", "/tmp/mongodb-27017.sock", 27017, true));
}

TEST_CASE("connecting fails with the system's reason, in time, and when cancelled") {
    std::atomic<bool> cancelled{false};
    Failure failure;
    REQUIRE(open_socket(parse_endpoint("127.0.0.1:1"), Clock::now() + std::chrono::seconds(1), cancelled, failure) == -1);
    REQUIRE((failure.kind == Failure::Kind::network && failure.code == ECONNREFUSED));
    failure = {};
    REQUIRE(open_socket(parse_endpoint("/nowhere.sock"), Clock::now() + std::chrono::seconds(1), cancelled, failure) == -1);
    REQUIRE(failure.code == ENOENT);
    cancelled = true;
    failure = {};
    const int descriptor =
        open_socket(parse_endpoint("192.0.2.1:9"), Clock::now() + std::chrono::seconds(5), cancelled, failure);
    REQUIRE(descriptor == -1);
    REQUIRE(failure);
}

TEST_CASE("reply buffers grow to what is asked and come back") {
    base::Buffer buffer;
    REQUIRE(take_reply_buffer(buffer, 3 << 20));
    REQUIRE(buffer.capacity() >= 3u << 20);
    REQUIRE(buffer.append("abc", 3));
    const std::uint8_t* memory = buffer.data();
    keep_reply_buffer(buffer);
    REQUIRE(buffer.capacity() == 0);
    base::Buffer small;
    REQUIRE(small.append("xyz", 3));
    REQUIRE(take_reply_buffer(small, 2 << 20));
    REQUIRE(small.data() == memory);
    REQUIRE(small.size() == 3);
    REQUIRE(std::memcmp(small.data(), "xyz", 3) == 0);
}
