// Foreign bytes as a reply of the server: frame checks, peeking, hello and cluster time must only ever refuse.
#include <cstdint>

#include "base/bytes.h"
#include "net/mongo/cluster_time.h"
#include "net/mongo/hello.h"
#include "net/mongo/message.h"
#include "net/mongo/reply.h"

using namespace barewire::net::mongo;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const std::int32_t id = size >= 12 ? barewire::base::load_little<std::int32_t>(data + 8) : 0;
    if (size >= 4) (void)stated_length(data, largest_reply);
    ReplyBody body;
    const std::uint8_t* document = data;
    std::size_t document_size = size;
    if (check_reply(data, size, id, body)) {
        if (body.offset + body.size > size) __builtin_trap();
        document = data + body.offset;
        document_size = body.size;
    }
    const ReplyPeek seen = peek(document, document_size);
    if (seen.cluster_time) {
        ClusterTime time;
        time.advance(seen.cluster_time, seen.cluster_time_size);
    }
    (void)state_change_error(seen);
    (void)type_of_hello(document, document_size);
    (void)facts_of_hello("a:1", document, document_size);
    ServerDescription description;
    (void)describe(description, document, document_size);
    return 0;
}
