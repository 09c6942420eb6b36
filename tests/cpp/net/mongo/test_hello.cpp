// What hello replies say: type, facts, description.
#include "net/mongo/hello.h"

#include "net/mongo/live.h"

using namespace barewire::test;

namespace {

ServerType type_of(const Command& hello) {
    const base::Buffer document = document_of(hello);
    return type_of_hello(document.data(), document.size());
}

}  // namespace

TEST_CASE("the type follows from the reply") {
    REQUIRE(type_of(Command("").boolean("isWritablePrimary", true)) == ServerType::standalone);
    REQUIRE(type_of(Command("").boolean("isWritablePrimary", true).text("msg", "isdbgrid")) == ServerType::mongos);
    REQUIRE(type_of(Command("").boolean("isWritablePrimary", true).text("setName", "rs")) == ServerType::primary);
    REQUIRE(type_of(Command("").boolean("ismaster", true).text("setName", "rs")) == ServerType::primary);
    REQUIRE(type_of(Command("").boolean("secondary", true).text("setName", "rs")) == ServerType::secondary);
    REQUIRE(type_of(Command("").boolean("arbiterOnly", true).text("setName", "rs")) == ServerType::arbiter);
    REQUIRE(type_of(Command("").boolean("secondary", true).boolean("hidden", true).text("setName", "rs")) == ServerType::other);
    REQUIRE(type_of(Command("").text("setName", "rs")) == ServerType::other);
    REQUIRE(type_of(Command("").boolean("isreplicaset", true)) == ServerType::ghost);
    REQUIRE(type_of_hello(nullptr, 0) == ServerType::unknown);
}

TEST_CASE("facts and description are read") {
    const base::Buffer document = document_of(Command("")
                                                  .boolean("isWritablePrimary", true)
                                                  .text("setName", "rs")
                                                  .int32("maxWireVersion", 17)
                                                  .int32("maxBsonObjectSize", 1000)
                                                  .int32("maxMessageSizeBytes", 2000)
                                                  .int32("maxWriteBatchSize", 30)
                                                  .int32("logicalSessionTimeoutMinutes", 30)
                                                  .document("tags", Command("").text("dc", "east")));
    const ServerFacts facts = facts_of_hello("h:1", document.data(), document.size());
    REQUIRE(facts.address == "h:1");
    REQUIRE((facts.max_wire_version == 17 && facts.max_document_size == 1000 && facts.max_message_size == 2000));
    REQUIRE((facts.max_batch_count == 30 && facts.sessions && facts.retryable_writes && !facts.mongos && !facts.standalone));
    ServerDescription description;
    REQUIRE(describe(description, document.data(), document.size()));
    REQUIRE(description.session_timeout_minutes == 30);
    REQUIRE(description.tags.size() == 1);
    REQUIRE(description.hello.size() == document.size());
    const base::Buffer alone = document_of(Command("").boolean("isWritablePrimary", true).int32("maxWireVersion", 17).int32("logicalSessionTimeoutMinutes", 30));
    const ServerFacts standalone = facts_of_hello("h:1", alone.data(), alone.size());
    REQUIRE((standalone.standalone && standalone.sessions && !standalone.retryable_writes));
}
