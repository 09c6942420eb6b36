// Looking into replies, and the tables of error codes. Deciding what to do about them lives elsewhere.
#include "net/mongo/reply.h"

#include "net/mongo/document_view.h"

namespace barewire::net::mongo {

namespace {

void read_labels(const Element& array, ReplyPeek& peek) noexcept {
    DocumentView labels(array);
    Element label;
    while (labels.next(label)) {
        if (label.text() == "RetryableWriteError") peek.retryable_write = true;
        if (label.text() == "NoWritesPerformed") peek.no_writes_performed = true;
    }
}

}  // namespace

ReplyPeek peek(const std::uint8_t* document, std::size_t size) noexcept {
    ReplyPeek peek;
    DocumentView walk(document, size);
    Element element;
    while (walk.next(element)) {
        // Only these names matter; the first byte tells most others apart.
        switch (element.name.empty() ? '\0' : element.name[0]) {
            case 'o':
                if (element.name == "ok") peek.ok = element.boolean();
                break;
            case 'c':
                if (element.name == "code") peek.code = static_cast<std::int32_t>(element.integer());
                break;
            case 'e':
                if (element.name == "errmsg") peek.message = element.text();
                if (element.name == "errorLabels") read_labels(element, peek);
                break;
            case 'w':
                if (element.name == "writeConcernError") {
                    DocumentView error(element);
                    Element part;
                    while (error.next(part)) {
                        if (part.name == "code") peek.write_concern_code = static_cast<std::int32_t>(part.integer());
                        if (part.name == "errmsg") peek.write_concern_message = part.text();
                        if (part.name == "errorLabels") read_labels(part, peek);
                    }
                }
                break;
            case 't':
                if (element.name == "topologyVersion") {
                    const DocumentView version(element);
                    const Element process = version.find("processId");
                    if (process.type == element_type::object_id) peek.topology_process = process.value;
                    peek.topology_counter = version.find("counter").integer(-1);
                }
                break;
            case '$':
                if (element.name == "$clusterTime" && element.type == element_type::document) {
                    peek.cluster_time = element.value;
                    peek.cluster_time_size = element.size;
                }
                break;
            default: break;
        }
    }
    peek.readable = !walk.broken();
    return peek;
}

bool not_writable_primary_code(std::int32_t code) noexcept { return code == 10107 || code == 13435 || code == 10058; }

bool node_is_recovering_code(std::int32_t code) noexcept {
    return code == 11600 || code == 11602 || code == 13436 || code == 189 || code == 91;
}

bool shutdown_code(std::int32_t code) noexcept { return code == 11600 || code == 91; }

bool retryable_read_code(std::int32_t code) noexcept {
    switch (code) {
        case 6: case 7: case 89: case 91: case 134: case 189: case 262: case 9001: case 10107: case 11600: case 11602:
        case 13435: case 13436: return true;
        default: return false;
    }
}

bool retryable_write_code(std::int32_t code) noexcept { return code != 134 && retryable_read_code(code); }

bool state_change_error(const ReplyPeek& reply) noexcept {
    auto changed = [](std::int32_t code, std::string_view message) {
        if (code != 0) return not_writable_primary_code(code) || node_is_recovering_code(code);
        return message.find("not master") != message.npos || message.find("node is recovering") != message.npos;
    };
    if (!reply.ok && changed(reply.code, reply.message)) return true;
    return reply.write_concern_code != 0 && changed(reply.write_concern_code, reply.write_concern_message);
}

}  // namespace barewire::net::mongo
