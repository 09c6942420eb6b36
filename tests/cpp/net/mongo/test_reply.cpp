// What is seen in replies, and the tables of codes.
#include "net/mongo/reply.h"

#include "net/mongo/live.h"

using namespace barewire::test;

namespace {

struct Kept {
    base::Buffer bytes;
    ReplyPeek seen;
    explicit Kept(const Command& command) : bytes(document_of(command)), seen(peek(bytes.data(), bytes.size())) {}
};

}  // namespace

TEST_CASE("success, code, labels and cluster time are found") {
    const Kept good(Command("").document("cursor", Command("").array("firstBatch", Command(""))).int32("ok", 1).document(
        "$clusterTime", Command("").timestamp("clusterTime", 1, 2)));
    REQUIRE((good.seen.readable && good.seen.ok && good.seen.code == 0));
    REQUIRE(good.seen.cluster_time);

    const Kept bad(Command("").int32("ok", 0).text("errmsg", "no").int32("code", 10107).array(
        "errorLabels", Command("").text("0", "Other").text("1", "RetryableWriteError")));
    REQUIRE_FALSE(bad.seen.ok);
    REQUIRE(bad.seen.code == 10107);
    REQUIRE(bad.seen.message == "no");
    REQUIRE(bad.seen.retryable_write);
    REQUIRE_FALSE(bad.seen.no_writes_performed);
    REQUIRE(state_change_error(bad.seen));

    const Kept concern(Command("").int32("ok", 1).document("writeConcernError", Command("").int32("code", 91).text("errmsg", "x")));
    REQUIRE(concern.seen.ok);
    REQUIRE(concern.seen.write_concern_code == 91);
    REQUIRE(state_change_error(concern.seen));

    const Kept old(Command("").int32("ok", 0).text("errmsg", "not master"));
    REQUIRE(state_change_error(old.seen));
    const Kept plain(Command("").int32("ok", 0).text("errmsg", "duplicate").int32("code", 11000));
    REQUIRE_FALSE(state_change_error(plain.seen));
    REQUIRE_FALSE(peek(nullptr, 0).readable);
}

TEST_CASE("codes are in the sets of the specifications") {
    for (int code : {6, 7, 89, 91, 189, 262, 9001, 10107, 11600, 11602, 13435, 13436}) {
        REQUIRE(retryable_read_code(code));
        REQUIRE(retryable_write_code(code));
    }
    REQUIRE(retryable_read_code(134));
    REQUIRE_FALSE(retryable_write_code(134));
    for (int code : {0, 11000, 43, 50, 64}) REQUIRE_FALSE(retryable_read_code(code));
    REQUIRE((shutdown_code(91) && shutdown_code(11600) && !shutdown_code(10107)));
}
