// Tests of base/buffer: growth, truncation, trimming and moves.
#include "base/buffer.h"

#include <string>
#include <utility>

#include "support/catch.h"

using barewire::base::Buffer;

TEST_CASE("appended bytes come back in order over many growth steps") {
    Buffer buffer;
    std::string expected;
    for (int i = 0; i < 5000; ++i) {
        std::string piece(static_cast<std::size_t>(i % 17), static_cast<char>('a' + i % 26));
        REQUIRE(buffer.append(piece.data(), piece.size()));
        expected += piece;
    }
    REQUIRE(std::string(reinterpret_cast<char*>(buffer.data()), buffer.size()) == expected);
}

TEST_CASE("truncate undoes, clear keeps the memory, trim gives it back") {
    Buffer buffer;
    REQUIRE(buffer.append_little<std::uint32_t>(0x01020304));
    REQUIRE(buffer.append_little<std::uint64_t>(5));
    buffer.truncate(4);
    REQUIRE(buffer.size() == 4);
    REQUIRE(buffer.data()[0] == 4);
    buffer.clear();
    REQUIRE(buffer.capacity() >= 12);
    buffer.trim(0);
    REQUIRE(buffer.capacity() == 0);
    REQUIRE(buffer.append("x", 1));
}

TEST_CASE("an impossible size is refused and leaves the content alone") {
    Buffer buffer;
    REQUIRE(buffer.append("abc", 3));
    REQUIRE_FALSE(buffer.reserve(static_cast<std::size_t>(-1) / 2));
    REQUIRE(buffer.size() == 3);
}

TEST_CASE("a moved-from buffer is empty and usable") {
    Buffer first;
    REQUIRE(first.append("abc", 3));
    Buffer second(std::move(first));
    REQUIRE(second.size() == 3);
    REQUIRE(first.append("d", 1));
    first = std::move(second);
    REQUIRE(first.size() == 3);
}
