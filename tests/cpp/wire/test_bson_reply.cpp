// Tests of wire/bson/reply: the batch of a cursor is found wherever its keys stand.
#include "wire/bson/reply.h"

#include <string>

#include "support/catch.h"

using namespace barewire::wire::bson;

namespace {

DocumentBytes bytes(const std::string& document) {
    return {reinterpret_cast<const std::uint8_t*>(document.data()), document.size()};
}

std::string framed(std::string elements) {
    const auto size = static_cast<char>(elements.size() + 5);  // small documents only
    return std::string{size, 0, 0, 0} + elements + std::string(1, '\0');
}

const std::string batch = framed(std::string("\x03") + "0" + '\0' + framed(""));
const std::string id = std::string("\x12id\0", 4) + std::string("\x2a\0\0\0\0\0\0\0", 8);
const std::string ns = std::string("\x02ns\0", 4) + std::string("\4\0\0\0a.b\0", 8);

std::string reply(const std::string& cursor) {
    return framed(std::string("\x10ok\0\1\0\0\0", 8) + std::string("\x03" "cursor\0", 8) + framed(cursor));
}

}  // namespace

TEST_CASE("first and next batches with their cursor") {
    for (const std::string key : {"firstBatch", "nextBatch"}) {
        const std::string list = "\x04" + key + std::string(1, '\0') + batch;
        for (const std::string& cursor : {list + id + ns, id + ns + list, ns + list + id}) {
            const std::string document = reply(cursor);
            const auto found = find_cursor_batch(bytes(document));
            REQUIRE(found.has_value());
            REQUIRE(found->id == 42);
            REQUIRE(found->ns == "a.b");
            REQUIRE(std::string(found->documents.begin(), found->documents.end()) == batch);
        }
    }
}

TEST_CASE("a cursor without a batch, and replies without a cursor") {
    const std::string bare = reply(id + ns);
    REQUIRE(find_cursor_batch(bytes(bare))->documents.empty());
    const std::string none = framed(std::string("\x10ok\0\1\0\0\0", 8));
    REQUIRE_FALSE(find_cursor_batch(bytes(none)).has_value());
    const std::string broken = reply("\x04nextBatch");
    REQUIRE_FALSE(find_cursor_batch(bytes(broken)).has_value());
}
