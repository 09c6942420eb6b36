// Looking through a reply for wire/bson/reply.h.
#include "wire/bson/reply.h"

namespace barewire::wire::bson {

std::optional<CursorBatch> find_cursor_batch(DocumentBytes reply) noexcept {
    const std::optional<Element> cursor = find(reply, "cursor");
    if (!cursor || !cursor->is(Type::document)) return std::nullopt;
    CursorBatch batch;
    Reader reader(cursor->value);
    for (Element element; reader.next(element);) {
        if (element.key == "id") {
            batch.id = element.integer().value_or(0);
        } else if (element.key == "ns") {
            batch.ns = element.text().value_or(std::string_view());
        } else if (element.is(Type::array) && (element.key == "firstBatch" || element.key == "nextBatch")) {
            batch.documents = element.value;
        }
    }
    if (!reader.status()) return std::nullopt;
    return batch;
}

}  // namespace barewire::wire::bson
