// Frames: what is written before and behind a command, and which replies are refused.
#include "net/mongo/message.h"

#include "net/mongo/live.h"

using namespace barewire::test;
using barewire::base::load_little;
using barewire::base::store_little;

namespace {

base::Buffer whole(const Request& request) {
    std::array<iovec, 3> parts;
    base::Buffer bytes;
    const std::size_t count = request.remaining(parts);
    for (std::size_t i = 0; i < count; ++i) (void)bytes.append(parts[i].iov_base, parts[i].iov_len);
    return bytes;
}

base::Buffer reply_message(std::int32_t answers, std::uint32_t flags = 0) {
    const base::Buffer document = document_of(Command("").int32("ok", 1));
    base::Buffer message;
    (void)message.append_little<std::int32_t>(static_cast<std::int32_t>(21 + document.size()));
    (void)message.append_little<std::int32_t>(99);
    (void)message.append_little<std::int32_t>(answers);
    (void)message.append_little<std::int32_t>(op_msg);
    (void)message.append_little<std::uint32_t>(flags);
    (void)message.append("", 1);
    (void)message.append(document.data(), document.size());
    return message;
}

}  // namespace

TEST_CASE("a request carries session, number, cluster time, preference and database") {
    Command command("shop");
    command.int32("ping", 1);
    const std::uint8_t id[16] = {1, 2, 3};
    const base::Buffer time = document_of(Command("").timestamp("clusterTime", 7, 8));
    const base::Buffer preference = document_of(Command("").text("mode", "nearest"));
    base::Buffer scratch;
    Request request;
    Tail tail;
    tail.session_id = id;
    tail.has_transaction_number = true;
    tail.transaction_number = 42;
    tail.cluster_time = &time;
    tail.read_preference = &preference;
    REQUIRE(request.build(command, 1234, tail, scratch));
    const base::Buffer bytes = whole(request);
    REQUIRE(load_little<std::int32_t>(bytes.data()) == static_cast<std::int32_t>(bytes.size()));
    REQUIRE(load_little<std::int32_t>(bytes.data() + 4) == 1234);
    REQUIRE(load_little<std::int32_t>(bytes.data() + 12) == 2013);
    const DocumentView body(bytes.data() + 21, bytes.size() - 21);
    REQUIRE(body.size() == bytes.size() - 21);
    REQUIRE(body.find("ping").integer() == 1);
    const Element session = DocumentView(body.find("lsid")).find("id");
    REQUIRE((session.type == element_type::binary && session.value[4] == 4));
    REQUIRE(std::memcmp(session.value + 5, id, 16) == 0);
    REQUIRE(body.find("txnNumber").integer() == 42);
    REQUIRE(DocumentView(body.find("$clusterTime")).find("clusterTime").type == element_type::timestamp);
    REQUIRE(DocumentView(body.find("$readPreference")).find("mode").text() == "nearest");
    REQUIRE(body.find("$db").text() == "shop");

    // The next attempt replaces the tail, it does not append another.
    REQUIRE(request.build(command, 1235, Tail{}, scratch));
    const base::Buffer second = whole(request);
    const DocumentView plain(second.data() + 21, second.size() - 21);
    REQUIRE_FALSE(plain.find("lsid"));
    REQUIRE(plain.find("$db").text() == "shop");
}

TEST_CASE("a request goes on where a partial send stopped") {
    Command command("db");
    command.int32("ping", 1);
    (void)command.sequence.append("0123456789", 10);
    base::Buffer scratch;
    Request request;
    REQUIRE(request.build(command, 1, Tail{}, scratch));
    const base::Buffer all = whole(request);
    for (std::size_t done = 0; done < all.size(); ++done) {
        const base::Buffer rest = whole(request);
        REQUIRE(rest.size() == all.size() - done);
        REQUIRE(std::memcmp(rest.data(), all.data() + done, rest.size()) == 0);
        request.sent(1);
    }
    REQUIRE(request.done());
}

TEST_CASE("an unacknowledged request says so, a raw one is sent as it is") {
    Command command("db");
    command.int32("ping", 1);
    command.expects_reply = false;
    base::Buffer scratch;
    Request request;
    REQUIRE(request.build(command, 5, Tail{}, scratch));
    REQUIRE(load_little<std::uint32_t>(whole(request).data() + 16) == flag::more_to_come);

    Command raw("");
    raw.raw = true;
    raw.body = reply_message(3);
    REQUIRE(request.build(raw, 77, Tail{}, scratch));
    const base::Buffer bytes = whole(request);
    REQUIRE(load_little<std::int32_t>(bytes.data() + 4) == 77);
    REQUIRE(bytes.size() == reply_message(3).size());
    raw.body.truncate(8);
    REQUIRE_FALSE(request.build(raw, 78, Tail{}, scratch));
}

TEST_CASE("replies are checked for frame, request and sections") {
    ReplyBody body;
    const base::Buffer good = reply_message(5);
    REQUIRE(check_reply(good.data(), good.size(), 5, body));
    REQUIRE(DocumentView(good.data() + body.offset, body.size).find("ok").integer() == 1);
    REQUIRE_FALSE(check_reply(good.data(), good.size(), 6, body));
    for (std::size_t size = 0; size < good.size(); ++size) REQUIRE_FALSE(check_reply(good.data(), size, 5, body));
    auto refused = [&](std::size_t at, std::int32_t value) {
        base::Buffer bad = reply_message(5);
        store_little<std::int32_t>(bad.data() + at, value);
        return !check_reply(bad.data(), bad.size(), 5, body);
    };
    REQUIRE(refused(0, 1));
    REQUIRE(refused(0, -1));
    REQUIRE(refused(12, 2012));
    REQUIRE(refused(16, 2));       // more to come
    REQUIRE(refused(16, 4));       // unknown required flag
    REQUIRE(refused(21, 1000));    // document longer than the message
    REQUIRE(refused(21, 4));
    REQUIRE_FALSE(refused(16, 1 << 20));   // unknown optional flag
    base::Buffer summed = reply_message(5, flag::checksum_present);
    (void)summed.append("crc!", 4);
    store_little<std::int32_t>(summed.data(), static_cast<std::int32_t>(summed.size()));
    REQUIRE(check_reply(summed.data(), summed.size(), 5, body));
    const std::uint8_t length[4] = {15, 0, 0, 0}, huge[4] = {0xff, 0xff, 0xff, 0x7f}, fine[4] = {16, 0, 0, 0};
    REQUIRE(stated_length(length, largest_reply) == 0);
    REQUIRE(stated_length(huge, largest_reply) == 0);
    REQUIRE(stated_length(fine, largest_reply) == 16);
}
