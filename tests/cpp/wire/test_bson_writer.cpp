// Tests of wire/bson/writer: keys, short copies and array index keys at every length.
#include "wire/bson/writer.h"

#include <string>
#include <vector>

#include "support/catch.h"

using namespace barewire::wire::bson;

TEST_CASE("copy_key copies every length exactly and finds a NUL at every place") {
    for (std::size_t size = 0; size < 70; ++size) {
        std::string key(size, 'k');
        for (std::size_t i = 0; i < size; ++i) key[i] = static_cast<char>('a' + i % 26);
        std::vector<std::uint8_t> out(size + 1, 0xEE);
        REQUIRE(copy_key(out.data(), key.data(), size));
        REQUIRE(std::string(out.begin(), out.end() - 1) == key);
        REQUIRE(out[size] == 0xEE);
        for (std::size_t i = 0; i < size; ++i) {
            std::string broken = key;
            broken[i] = '\0';
            REQUIRE_FALSE(copy_key(out.data(), broken.data(), size));
        }
    }
}

TEST_CASE("copy_key does not take bytes next to zero for NUL") {
    for (std::size_t size = 1; size < 20; ++size) {
        std::string key(size, '\x01');
        std::vector<std::uint8_t> out(size);
        REQUIRE(copy_key(out.data(), key.data(), size));
        key.assign(size, '\x80');
        REQUIRE(copy_key(out.data(), key.data(), size));
        key.assign(size, '\xff');
        REQUIRE(copy_key(out.data(), key.data(), size));
    }
}

TEST_CASE("copy_bytes copies every length and nothing more") {
    for (std::size_t size = 0; size < 100; ++size) {
        std::string data(size, '\0');
        for (std::size_t i = 0; i < size; ++i) data[i] = static_cast<char>(i * 7);
        std::vector<std::uint8_t> out(size + 1, 0xEE);
        copy_bytes(out.data(), data.data(), size);
        REQUIRE(std::string(out.begin(), out.end() - 1) == data);
        REQUIRE(out[size] == 0xEE);
    }
}

TEST_CASE("index keys count in decimal, from the start and across every number of digits") {
    for (std::uint32_t first : {0u, 999990u, 9999990u, 99999990u, 999999990u, 2147483000u}) {
        IndexKey key(first);
        const std::uint32_t last = first == 0 ? 123457 : first + 40;
        for (std::uint32_t i = first; i < last; ++i) {
            std::uint8_t out[10 + IndexKey::slack] = {};
            key.put(out);
            REQUIRE(std::string(reinterpret_cast<char*>(out), key.size()) == std::to_string(i));
            key.increment();
        }
    }
}

TEST_CASE("text is written with its length and terminator") {
    std::uint8_t out[16];
    REQUIRE(put_text(out, "abc", 3) == out + 8);
    const std::uint8_t expected[] = {4, 0, 0, 0, 'a', 'b', 'c', 0};
    REQUIRE(std::vector<std::uint8_t>(out, out + 8) == std::vector<std::uint8_t>(expected, expected + 8));
}
