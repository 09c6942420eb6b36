// Tests of wire/bson/reader: iteration over every type, accessors, look-up by path, refusals.
#include "wire/bson/reader.h"

#include <cstdint>
#include <string>
#include <vector>

#include "support/catch.h"

using namespace barewire::wire::bson;

namespace {

std::string little(std::uint64_t value, int bytes) {
    std::string out;
    for (int i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8 * i));
    return out;
}

std::string framed(const std::string& elements) { return little(elements.size() + 5, 4) + elements + std::string(1, '\0'); }

std::string element(Type type, const std::string& key, const std::string& value) {
    return std::string(1, static_cast<char>(type)) + key + std::string(1, '\0') + value;
}

std::string text(const std::string& content) { return little(content.size() + 1, 4) + content + std::string(1, '\0'); }

DocumentBytes bytes(const std::string& document) {
    return {reinterpret_cast<const std::uint8_t*>(document.data()), document.size()};
}

// One element of each type, keyed by a number.
std::vector<std::pair<Type, std::string>> every_type() {
    const std::string zero(1, '\0');
    return {
        {Type::float64, little(0x3ff8000000000000u, 8)},
        {Type::string, text("hello")},
        {Type::document, framed(element(Type::null, "x", ""))},
        {Type::array, framed(element(Type::int32, "0", little(7, 4)))},
        {Type::binary, little(3, 4) + zero + "abc"},
        {Type::binary, little(7, 4) + "\x02" + little(3, 4) + "abc"},
        {Type::undefined, ""},
        {Type::object_id, "abcdefghijkl"},
        {Type::boolean, "\x01"},
        {Type::datetime, little(5, 8)},
        {Type::null, ""},
        {Type::regex, "a.b" + zero + "im" + zero},
        {Type::db_pointer, text("c") + "abcdefghijkl"},
        {Type::code, text("f()")},
        {Type::symbol, text("s")},
        {Type::code_with_scope, little(4 + text("f").size() + 5, 4) + text("f") + framed("")},
        {Type::int32, little(static_cast<std::uint32_t>(-5), 4)},
        {Type::timestamp, little(9, 8)},
        {Type::int64, little(1ull << 40, 8)},
        {Type::decimal128, std::string(16, '\1')},
        {Type::min_key, ""},
        {Type::max_key, ""},
    };
}

}  // namespace

TEST_CASE("every type is measured, and its value is exactly its bytes") {
    std::string elements;
    const auto types = every_type();
    for (std::size_t i = 0; i < types.size(); ++i) elements += element(types[i].first, std::to_string(i), types[i].second);
    const std::string document = framed(elements);
    Reader reader(bytes(document));
    std::size_t count = 0;
    for (Element found; reader.next(found); ++count) {
        REQUIRE(found.type == types[count].first);
        REQUIRE(found.key == std::to_string(count));
        REQUIRE(std::string(found.value.begin(), found.value.end()) == types[count].second);
    }
    REQUIRE(static_cast<bool>(reader.status()));
    REQUIRE(count == types.size());
    REQUIRE(static_cast<bool>(validate(bytes(document))));
}

TEST_CASE("each type alone: every shorter value is refused") {
    for (const auto& [type, value] : every_type()) {
        const std::string whole = framed(element(type, "k", value));
        REQUIRE(static_cast<bool>(validate(bytes(whole))));
        for (std::size_t cut = 0; cut < value.size(); ++cut) {
            const std::string document = framed(element(type, "k", value.substr(0, cut)));
            Reader reader(bytes(document));
            Element found;
            // A shorter value may still be well formed if what follows it is not; then the document as a whole is refused.
            while (reader.next(found)) {}
            REQUIRE_FALSE(static_cast<bool>(reader.status()));
        }
    }
}

TEST_CASE("accessors convert numbers and refuse other types") {
    const std::string document =
        framed(element(Type::float64, "one", little(0x3ff0000000000000u, 8)) + element(Type::int32, "minus", little(~0u, 4)) +
               element(Type::int64, "big", little(1ull << 62, 8)) + element(Type::boolean, "yes", "\x01") +
               element(Type::float64, "nan", little(0x7ff8000000000000u, 8)) + element(Type::string, "s", text("ok")) +
               element(Type::float64, "huge", little(0x43e0000000000000u, 8)));
    auto get = [&](const char* key) { return *find(bytes(document), key); };
    REQUIRE(get("one").truth());
    REQUIRE(get("one").integer() == 1);
    REQUIRE(get("minus").integer() == -1);
    REQUIRE(get("big").integer() == std::int64_t{1} << 62);
    REQUIRE(get("yes").truth());
    REQUIRE_FALSE(get("nan").integer().has_value());
    REQUIRE_FALSE(get("huge").integer().has_value());
    REQUIRE(get("s").text() == "ok");
    REQUIRE_FALSE(get("s").truth());
    REQUIRE_FALSE(get("one").text().has_value());
    REQUIRE_FALSE(find(bytes(document), "missing").has_value());
}

TEST_CASE("look-up by path goes through documents and arrays") {
    const std::string inner = framed(element(Type::int64, "id", little(42, 8)));
    const std::string list = framed(element(Type::document, "0", inner));
    const std::string document = framed(element(Type::document, "cursor", inner) + element(Type::array, "list", list));
    REQUIRE(find(bytes(document), {"cursor", "id"})->integer() == 42);
    REQUIRE(find(bytes(document), {"list", "0", "id"})->integer() == 42);
    REQUIRE_FALSE(find(bytes(document), {"cursor", "id", "more"}).has_value());
    REQUIRE_FALSE(find(bytes(document), {"absent", "id"}).has_value());
}

TEST_CASE("a document whose frame is wrong is not read at all") {
    const std::string good = framed(element(Type::null, "a", ""));
    std::string longer = good + '\0', shorter = good.substr(0, good.size() - 1), open = good;
    open.back() = 1;
    for (const std::string& wrong : {longer, shorter, open, std::string(), std::string("\5\0\0", 3)}) {
        Reader reader(bytes(wrong));
        Element found;
        REQUIRE_FALSE(reader.next(found));
        REQUIRE_FALSE(static_cast<bool>(reader.status()));
    }
}

TEST_CASE("validation looks inside and stops at its depth") {
    std::string document = framed("");
    for (int i = 0; i < 100; ++i) document = framed(element(Type::document, "d", document));
    REQUIRE(static_cast<bool>(validate(bytes(document), 101)));
    REQUIRE_FALSE(static_cast<bool>(validate(bytes(document), 100)));
    const std::string bad = framed(element(Type::document, "d", framed(element(Type::boolean, "b", "\x02"))));
    REQUIRE_FALSE(static_cast<bool>(validate(bytes(bad))));
    const std::string scope = little(4 + text("f").size() + 9, 4) + text("f") + framed(element(Type::boolean, "b", "\x02"));
    REQUIRE_FALSE(static_cast<bool>(validate(bytes(framed(element(Type::code_with_scope, "c", scope))))));
}

TEST_CASE("the length prefix of a stream of documents") {
    std::size_t size = 0;
    const std::string stream = framed("") + "rest";
    REQUIRE(static_cast<bool>(document_size(bytes(stream), size)));
    REQUIRE(size == 5);
    REQUIRE_FALSE(static_cast<bool>(document_size(bytes(std::string("\4\0\0\0", 4)), size)));
    REQUIRE_FALSE(static_cast<bool>(document_size(bytes(std::string("\5\0\0", 3)), size)));
    REQUIRE_FALSE(static_cast<bool>(document_size(bytes(std::string("\xff\xff\xff\xff", 4)), size)));
}
