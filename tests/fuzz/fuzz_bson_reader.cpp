// Fuzz target of wire/bson/reader and reply: whatever is accepted must lie inside the input and add up to its size.
#include <cstdint>
#include <cstdlib>

#include "wire/bson/reader.h"
#include "wire/bson/reply.h"

using namespace barewire::wire::bson;

namespace {

volatile std::uint64_t sink;

void touch(std::span<const std::uint8_t> bytes) {
    std::uint64_t sum = 0;
    for (std::uint8_t byte : bytes) sum += byte;
    sink = sum;
}

// Reads everything through the public functions; aborts when an element leaves its document.
void walk(DocumentBytes document, int depth) {
    Reader reader(document);
    for (Element element; reader.next(element);) {
        const std::uint8_t* begin = element.value.data();
        const std::uint8_t* end = begin + element.value.size();
        if (begin < document.data() || end > document.data() + document.size() - 1) std::abort();
        touch(element.value);
        touch({reinterpret_cast<const std::uint8_t*>(element.key.data()), element.key.size()});
        sink = static_cast<std::uint64_t>(element.truth());
        sink = static_cast<std::uint64_t>(element.integer().value_or(0));
        if (auto text = element.text()) sink = text->size();
        if (auto inner = element.document(); inner && depth > 0) walk(*inner, depth - 1);
    }
    if (reader.status() && document.size() >= 5 && reader.offset() != document.size() - 1) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const DocumentBytes document(data, size);
    walk(document, 64);
    const bool valid = static_cast<bool>(validate(document, 64));
    if (auto batch = find_cursor_batch(document)) {
        touch(batch->documents);
        sink = batch->ns.size() + static_cast<std::uint64_t>(batch->id);
    }
    std::size_t stated = 0;
    // A valid document says its own size.
    if (valid && (!document_size(document, stated) || stated != size)) std::abort();
    return 0;
}
