// Decoding of batches and replies for walk/bson_reply.h.
#include "walk/bson_reply.h"

#include <string_view>

#include "base/bytes.h"
#include "walk/decode_errors.h"
#include "walk/decoder.h"
#include "wire/bson/reader.h"
#include "wire/bson/reply.h"
#include "wire/bson/types.h"

namespace barewire::walk {

using py::Ref;
using wire::bson::Element;
using wire::bson::Reader;
using wire::bson::Type;

namespace {

// One mapping level of a reply with type decoders: `chosen` decodes what the user's registry applies to.
class SelectiveReply {
public:
    SelectiveReply(DecodeContext& plain, DecodeContext& chosen) : plain_context_(plain), plain_(plain), chosen_(chosen) {}
    bool ready() const noexcept { return plain_.ready() && chosen_.ready(); }

    Ref decode(std::span<const std::uint8_t> document, bool inside_cursor) {
        Ref made = Ref::steal(PyObject_CallNoArgs(plain_context_.options.document_class.get()));
        if (!made) return {};
        Reader reader(document);
        for (Element element; reader.next(element);) {
            Ref own;
            const auto* key_at = reinterpret_cast<const std::uint8_t*>(element.key.data());
            const std::uint8_t* end = element.value.data() + element.value.size();
            PyObject* name = plain_.key(key_at, element.value.data(), own);
            if (name == nullptr) return {};
            if (!own) own = Ref::share(name);
            Ref value;
            if (!inside_cursor && element.key == "cursor" && element.is(Type::document)) {
                value = decode(element.value, true);
            } else {
                const bool batch = inside_cursor && (element.key == "firstBatch" || element.key == "nextBatch");
                Decoder& decoder = batch ? chosen_ : plain_;
                const std::uint8_t* at = element.value.data();
                value = Ref::steal(decoder.value(static_cast<std::uint8_t>(element.type), at, end, name,
                                                 decoder.cache().elsewhere));
            }
            if (!value || PyObject_SetItem(made.get(), name, value.get()) < 0) return {};
        }
        if (!reader.status()) return Ref::steal(invalid_bson(plain_.kinds(), "invalid length or type code"));
        return made;
    }

private:
    DecodeContext& plain_context_;
    Decoder plain_, chosen_;
};

}  // namespace

Ref decode_batch(DecodeContext& context, std::span<const std::uint8_t> documents) {
    Ref list = Ref::steal(PyList_New(0));
    if (!list) return {};
    if (!documents.empty() && !decode_documents_into(context, documents.data(), documents.size(), list.get())) return {};
    return list;
}

Ref decode_first_of_batch(DecodeContext& context, std::span<const std::uint8_t> documents) {
    Reader reader(documents);
    Element first;
    if (documents.empty() || !reader.next(first)) {
        if (documents.empty() || reader.status()) return Ref::none();
        return Ref::steal(invalid_bson(context.kinds, reader.status().message));
    }
    if (!first.is(Type::document)) return Ref::steal(invalid_bson(context.kinds, "invalid length or type code"));
    return decode_document(context, first.value.data(), first.value.size());
}

Ref decode_cursor_batch(DecodeContext& context, std::span<const std::uint8_t> reply) {
    const auto batch = wire::bson::find_cursor_batch(reply);
    if (!batch) return Ref::steal(invalid_bson(context.kinds, "no cursor in the reply"));
    Ref documents = decode_batch(context, batch->documents);
    if (!documents) return {};
    return Ref::steal(Py_BuildValue("(OLs#)", documents.get(), static_cast<long long>(batch->id), batch->ns.data(),
                                    static_cast<Py_ssize_t>(batch->ns.size())));
}

Ref decode_reply(DecodeContext& context, std::span<const std::uint8_t> reply) {
    if (!context.options.decoder_map) return decode_document(context, reply.data(), reply.size());
    CodecOptions plain_options;
    if (!resolve_codec_options(context.kinds, context.options.source.get(), plain_options)) return {};
    plain_options.decoder_map.reset();
    // The reply itself is a dict when its documents are to stay raw.
    if (plain_options.document_is_raw) {
        plain_options.document_class = Ref::share(reinterpret_cast<PyObject*>(&PyDict_Type));
        plain_options.document_is_dict = true;
        plain_options.document_is_raw = false;
    }
    DecodeContext plain{context.kinds, plain_options};
    SelectiveReply selective(plain, context);
    if (!selective.ready()) return {};
    return selective.decode(reply, false);
}

}  // namespace barewire::walk
