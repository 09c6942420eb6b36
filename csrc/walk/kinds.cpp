// Imports of the recognised types and their slot offsets; the only place where `bson` and `uuid` are looked up by name.
#include "walk/kinds.h"

#include <utility>

#include "py/compat.h"
#include "py/internals/clock.h"

namespace barewire::walk {

namespace {

py::Ref import_name(const char* module, const char* name) {
    py::Ref imported = py::Ref::steal(PyImport_ImportModule(module));
    if (!imported) return {};
    return py::Ref::steal(PyObject_GetAttrString(imported.get(), name));
}

struct Wanted {
    const char* module;
    const char* name;
    py::Ref Kinds::*where;
};

constexpr Wanted wanted[] = {
    {"bson.binary", "Binary", &Kinds::binary},
    {"bson.objectid", "ObjectId", &Kinds::object_id},
    {"bson.datetime_ms", "DatetimeMS", &Kinds::datetime_ms},
    {"bson.regex", "Regex", &Kinds::regex},
    {"bson.code", "Code", &Kinds::code},
    {"bson.timestamp", "Timestamp", &Kinds::timestamp},
    {"bson.int64", "Int64", &Kinds::int64},
    {"bson.decimal128", "Decimal128", &Kinds::decimal128},
    {"bson.dbref", "DBRef", &Kinds::dbref},
    {"bson.raw_bson", "RawBSONDocument", &Kinds::raw_document},
    {"bson.min_key", "MinKey", &Kinds::min_key},
    {"bson.max_key", "MaxKey", &Kinds::max_key},
    {"bson.son", "SON", &Kinds::son},
    {"bson.codec_options", "CodecOptions", &Kinds::codec_options},
    {"bson.codec_options", "TypeRegistry", &Kinds::type_registry},
    {"bson.tz_util", "utc", &Kinds::bson_utc},
    {"uuid", "UUID", &Kinds::uuid},
    {"re", "Pattern", &Kinds::pattern},
    {"collections.abc", "Mapping", &Kinds::mapping},
    {"collections.abc", "MutableMapping", &Kinds::mutable_mapping},
    {"bson.errors", "BSONError", &Kinds::bson_error},
    {"bson.errors", "InvalidBSON", &Kinds::invalid_bson},
    {"bson.errors", "InvalidDocument", &Kinds::invalid_document},
    {"bson.errors", "InvalidStringData", &Kinds::invalid_string_data},
    {"bson.errors", "InvalidId", &Kinds::invalid_id},
};

struct WantedText {
    const char* text;
    py::Ref Kinds::*where;
};

constexpr WantedText wanted_texts[] = {
    {"_id", &Kinds::id_key},
    {"_type_marker", &Kinds::type_marker},
    {"subtype", &Kinds::subtype},
    {"flags", &Kinds::flags},
    {"pattern", &Kinds::pattern_name},
    {"scope", &Kinds::scope},
    {"inc", &Kinds::inc},
    {"time", &Kinds::time},
    {"binary", &Kinds::binary_name},
    {"bid", &Kinds::bid},
    {"as_doc", &Kinds::as_doc},
    {"utcoffset", &Kinds::utcoffset},
    {"from_uuid", &Kinds::from_uuid},
    {"raw", &Kinds::raw},
    {"_Binary__subtype", &Kinds::binary_subtype},
    {"_Code__scope", &Kinds::code_scope},
};

struct WantedSlot {
    py::Ref Kinds::*type;
    const char* name;
    SlotOffset Kinds::*where;
};

constexpr WantedSlot wanted_slots[] = {
    {&Kinds::object_id, "_ObjectId__id", &Kinds::object_id_value},
    {&Kinds::timestamp, "_Timestamp__time", &Kinds::timestamp_time},
    {&Kinds::timestamp, "_Timestamp__inc", &Kinds::timestamp_inc},
    {&Kinds::decimal128, "_Decimal128__high", &Kinds::decimal128_high},
    {&Kinds::decimal128, "_Decimal128__low", &Kinds::decimal128_low},
    {&Kinds::uuid, "int", &Kinds::uuid_int},
    {&Kinds::uuid, "is_safe", &Kinds::uuid_is_safe},
    {&Kinds::regex, "pattern", &Kinds::regex_pattern},
    {&Kinds::regex, "flags", &Kinds::regex_flags},
    {&Kinds::datetime_ms, "_value", &Kinds::datetime_ms_value},
    {&Kinds::dbref, "_DBRef__collection", &Kinds::dbref_collection},
    {&Kinds::dbref, "_DBRef__database", &Kinds::dbref_database},
    {&Kinds::dbref, "_DBRef__id", &Kinds::dbref_id},
    {&Kinds::dbref, "_DBRef__kwargs", &Kinds::dbref_kwargs},
};

}  // namespace

void Kinds::enter(PyTypeObject* type, Kind kind) noexcept {
    std::size_t at = slot_of(type);
    while (table[at].type != nullptr && table[at].type != type) at = (at + 1) & (table_size - 1);
    table[at] = {type, kind};
}

bool Kinds::resolve_all() {
    if (!py::load_clock()) return false;
    for (const Wanted& one : wanted) {
        py::Ref found = import_name(one.module, one.name);
        if (!found) return false;
        // Imports can let another thread come here first; whoever is last stores equal objects.
        this->*one.where = std::move(found);
    }
    invalid_document_keeps_document = PyObject_HasAttrString(invalid_document.get(), "document") != 0;
    for (const WantedText& one : wanted_texts) {
        py::Ref text = py::Ref::steal(PyUnicode_InternFromString(one.text));
        if (!text) return false;
        this->*one.where = std::move(text);
    }
    py::Ref safe_uuid = import_name("uuid", "SafeUUID");
    if (!safe_uuid) return false;
    safe_uuid_unknown = py::Ref::steal(PyObject_GetAttrString(safe_uuid.get(), "unknown"));
    if (!safe_uuid_unknown) return false;
    for (const WantedSlot& one : wanted_slots) this->*one.where = py::slot_offset((this->*one.type).get(), one.name);

    datetime = py::clock_api->DateTimeType;
    const struct {
        const py::Ref& type;
        Kind kind;
    } kinds[] = {
        {binary, Kind::binary},       {object_id, Kind::object_id},   {datetime_ms, Kind::datetime_ms},
        {regex, Kind::regex},         {code, Kind::code},             {timestamp, Kind::timestamp},
        {int64, Kind::int64},         {decimal128, Kind::decimal128}, {dbref, Kind::dbref},
        {raw_document, Kind::raw_document}, {min_key, Kind::min_key}, {max_key, Kind::max_key},
        {son, Kind::son},             {uuid, Kind::uuid},             {pattern, Kind::pattern},
    };
    for (const auto& one : kinds) enter(reinterpret_cast<PyTypeObject*>(one.type.get()), one.kind);
    enter(datetime, Kind::datetime);
    resolved = true;
    return true;
}

}  // namespace barewire::walk
