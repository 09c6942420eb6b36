// A CodecOptions object of `bson`, read once into plain fields; the readers and writers never look at the tuple again.
#pragma once

#include <memory>

#include "py/python.h"
#include "py/ref.h"
#include "walk/kinds.h"

namespace barewire::walk {

enum class UuidRepresentation : int { unspecified = 0, python_legacy = 3, standard = 4, java_legacy = 5, csharp_legacy = 6 };
enum class DatetimeConversion : int { datetime = 1, clamp = 2, milliseconds = 3, automatic = 4 };

struct CodecOptions {
    py::Ref source;                  // the CodecOptions object itself; empty for the default options
    py::Ref document_class;
    bool document_is_dict = true;    // exactly dict
    bool document_is_raw = false;    // RawBSONDocument or a subclass
    bool tz_aware = false;
    py::Ref tzinfo;                  // empty: none given
    UuidRepresentation uuid_representation = UuidRepresentation::unspecified;
    py::Ref unicode_error_handler;   // str; empty: "strict"
    DatetimeConversion datetime_conversion = DatetimeConversion::datetime;
    py::Ref type_registry;
    py::Ref encoder_map;             // dict type -> transform; empty: no encoders
    py::Ref decoder_map;             // dict type -> transform; empty: no decoders
    py::Ref fallback_encoder;        // callable; empty: none
};

// Reads `object` (None or nullptr: the defaults). TypeError "codec_options must be an instance of CodecOptions" otherwise.
[[nodiscard]] bool resolve_codec_options(Kinds& kinds, PyObject* object, CodecOptions& out);

// The same, remembered in `kinds` for the defaults and for the object seen last (a collection uses one object for its
// whole life). Shared, because user code that runs during a walk may ask for other options; empty with a Python error set.
[[nodiscard]] std::shared_ptr<const CodecOptions> cached_codec_options(Kinds& kinds, PyObject* object);

}  // namespace barewire::walk
