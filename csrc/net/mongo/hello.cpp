// Reading of hello replies. No state here.
#include "net/mongo/hello.h"

#include <algorithm>
#include <cstring>

#include "net/mongo/document_view.h"

namespace barewire::net::mongo {

bool ServerDescription::data_bearing() const noexcept {
    switch (type) {
        case ServerType::standalone:
        case ServerType::mongos:
        case ServerType::primary:
        case ServerType::secondary:
        case ServerType::load_balancer: return true;
        default: return false;
    }
}

ServerType type_of_hello(const std::uint8_t* document, std::size_t size) noexcept {
    bool primary = false, secondary = false, arbiter = false, hidden = false, set = false, ghost = false, mongos = false;
    DocumentView walk(document, size);
    Element element;
    while (walk.next(element)) {
        if (element.name == "isWritablePrimary" || element.name == "ismaster") primary |= element.boolean();
        else if (element.name == "secondary") secondary = element.boolean();
        else if (element.name == "arbiterOnly") arbiter = element.boolean();
        else if (element.name == "hidden") hidden = element.boolean();
        else if (element.name == "setName") set = true;
        else if (element.name == "isreplicaset") ghost = element.boolean();
        else if (element.name == "msg") mongos = element.text() == "isdbgrid";
    }
    if (walk.broken()) return ServerType::unknown;
    if (ghost) return ServerType::ghost;
    if (set) {
        if (hidden) return ServerType::other;
        if (primary) return ServerType::primary;
        if (secondary) return ServerType::secondary;
        if (arbiter) return ServerType::arbiter;
        return ServerType::other;
    }
    return mongos ? ServerType::mongos : ServerType::standalone;
}

ServerType type_of_name(std::string_view name) noexcept {
    if (name == "RSPrimary") return ServerType::primary;
    if (name == "RSSecondary") return ServerType::secondary;
    if (name == "Standalone") return ServerType::standalone;
    if (name == "Mongos") return ServerType::mongos;
    if (name == "RSArbiter") return ServerType::arbiter;
    if (name == "RSOther") return ServerType::other;
    if (name == "RSGhost") return ServerType::ghost;
    if (name == "PossiblePrimary") return ServerType::possible_primary;
    if (name == "LoadBalancer") return ServerType::load_balancer;
    return ServerType::unknown;
}

ServerFacts facts_of_hello(const std::string& address, const std::uint8_t* document, std::size_t size) {
    ServerFacts facts;
    facts.address = address;
    bool session_timeout = false;
    DocumentView walk(document, size);
    Element element;
    while (walk.next(element)) {
        const auto number = [&] { return static_cast<std::int32_t>(std::clamp<std::int64_t>(element.integer(), 0, 1 << 30)); };
        if (element.name == "maxWireVersion") facts.max_wire_version = number();
        else if (element.name == "maxBsonObjectSize") facts.max_document_size = number();
        else if (element.name == "maxMessageSizeBytes") facts.max_message_size = number();
        else if (element.name == "maxWriteBatchSize") facts.max_batch_count = number();
        else if (element.name == "logicalSessionTimeoutMinutes") session_timeout = element.type != element_type::null;
    }
    const ServerType type = type_of_hello(document, size);
    facts.mongos = type == ServerType::mongos;
    facts.standalone = type == ServerType::standalone;
    facts.sessions = session_timeout;
    facts.retryable_writes = session_timeout && !facts.standalone && facts.max_wire_version >= 6;
    return facts;
}

bool describe(ServerDescription& description, const std::uint8_t* document, std::size_t size) {
    DocumentView walk(document, size);
    Element element;
    while (walk.next(element)) {
        if (element.name == "tags") {
            DocumentView tags(element);
            Element tag;
            while (tags.next(tag)) description.tags.emplace_back(tag.name, tag.text());
        } else if (element.name == "lastWrite") {
            description.last_write_milliseconds = DocumentView(element).find("lastWriteDate").integer();
        } else if (element.name == "topologyVersion") {
            const DocumentView version(element);
            const Element process = version.find("processId");
            if (process.type == element_type::object_id) {
                std::memcpy(description.topology_process, process.value, 12);
                description.topology_counter = version.find("counter").integer(-1);
            }
        } else if (element.name == "logicalSessionTimeoutMinutes") {
            description.session_timeout_minutes = static_cast<std::int32_t>(element.integer());
        } else if (element.name == "minWireVersion") {
            description.min_wire_version = static_cast<std::int32_t>(element.integer());
        } else if (element.name == "maxWireVersion") {
            description.max_wire_version = static_cast<std::int32_t>(element.integer());
        }
    }
    if (walk.broken()) return false;
    description.hello.clear();
    return description.hello.append(walk.data(), walk.size());
}

}  // namespace barewire::net::mongo
