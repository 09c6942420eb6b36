// The table of built-in types and the registry of those that a database adds.
#include "walk/pg_types.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "wire/pg/oids.h"

namespace barewire::walk {

using wire::pg::builtin_types;
using wire::pg::BuiltinType;

namespace {

bool holds_elements(PgKind kind) noexcept {
    return kind == PgKind::array || kind == PgKind::vector || kind == PgKind::range || kind == PgKind::multirange;
}

// The built-in types, in the order of their oids, and the opaque type as the last one.
class Builtins {
public:
    Builtins() : types_(std::make_unique<PgType[]>(count + 1)) {
        for (std::size_t i = 0; i < count; ++i) {
            types_[i].oid = builtin_types[i].oid;
            types_[i].kind = builtin_types[i].kind;
            types_[i].name = builtin_types[i].name;
            types_[i].binary = builtin_types[i].kind != PgKind::opaque;
        }
        types_[count].name = "unknown type";
        for (std::size_t i = 0; i < count; ++i) {
            if (holds_elements(types_[i].kind)) {
                const PgType* element = find(builtin_types[i].element);
                types_[i].element = element == nullptr ? &opaque() : element;
                if (types_[i].kind == PgKind::array) types_[i].name = types_[i].element->name + "[]";
            }
        }
        // An array of opaque elements is no more binary than they are; none nests deeper than a multirange in an array.
        for (int pass = 0; pass < 3; ++pass) {
            for (std::size_t i = 0; i < count; ++i) {
                if (types_[i].element != nullptr && !types_[i].element->binary) types_[i].binary = false;
            }
        }
    }
    const PgType* find(std::uint32_t oid) const noexcept {
        const auto* const end = std::end(builtin_types);
        const auto* const found = std::lower_bound(std::begin(builtin_types), end, oid,
                                                   [](const BuiltinType& type, std::uint32_t wanted) { return type.oid < wanted; });
        return found == end || found->oid != oid ? nullptr : &types_[static_cast<std::size_t>(found - builtin_types)];
    }
    const PgType& opaque() const noexcept { return types_[count]; }

private:
    static constexpr std::size_t count = std::size(builtin_types);
    std::unique_ptr<PgType[]> types_;
};

// Holds no Python objects, so it may live as long as the process.
const Builtins& builtins() {
    static const Builtins table;
    return table;
}

struct NamedKind {
    std::string_view name;
    PgKind kind;
};

// Base types of extensions whose layout is one of ours.
constexpr NamedKind named_kinds[] = {
    {"hstore", PgKind::hstore},  {"citext", PgKind::text},       {"ltree", PgKind::versioned},
    {"lquery", PgKind::versioned}, {"ltxtquery", PgKind::versioned},
};

PgKind kind_of_name(std::string_view name) noexcept {
    for (const NamedKind& one : named_kinds) {
        if (one.name == name) return one.kind;
    }
    return PgKind::opaque;
}

}  // namespace

const PgType* PgTypes::find(std::uint32_t oid) const noexcept {
    if (const PgType* builtin = builtins().find(oid)) return builtin;
    const auto found = added_.find(oid);
    return found == added_.end() ? nullptr : found->second.get();
}

const PgType& PgTypes::get(std::uint32_t oid) const noexcept {
    const PgType* found = find(oid);
    return found == nullptr ? builtins().opaque() : *found;
}

namespace {

bool same_fields(const std::vector<PgField>& left, const std::vector<PgField>& right) noexcept {
    if (left.size() != right.size()) return false;
    for (std::size_t i = 0; i < left.size(); ++i) {
        if (left[i].type != right[i].type || PyUnicode_Compare(left[i].name.get(), right[i].name.get()) != 0) return false;
    }
    return true;
}

}  // namespace

void PgTypes::give_fields(PgType& type, std::vector<PgField> fields) {
    if (same_fields(type.fields, fields)) return;
    // A value of the type may be on its way: its walk goes on over the old columns.
    if (!type.fields.empty()) retired_.push_back(std::move(type.fields));
    type.fields = std::move(fields);
}

void PgTypes::fill(PgType& type, PgTypeRow& row) {
    type.oid = row.oid;
    type.name.assign(row.name);
    type.element = nullptr;
    std::vector<PgField> fields;
    type.factory = std::move(row.factory);
    type.members = std::move(row.members);
    type.labels = std::move(row.labels);
    type.kind = PgKind::opaque;
    if (row.is_array) {
        type.kind = PgKind::array;
    } else if (row.variety == 'r') {
        type.kind = PgKind::range;
    } else if (row.variety == 'm') {
        type.kind = PgKind::multirange;
    } else if (row.variety == 'e') {
        type.kind = PgKind::enumeration;
    } else if (row.variety == 'b') {
        type.kind = kind_of_name(row.name);
    } else if (row.variety == 'c') {
        type.kind = PgKind::composite;
        for (std::size_t i = 0; i < row.field_oids.size() && i < row.field_names.size(); ++i) {
            PgField field;
            field.name = std::move(row.field_names[i]);
            field.type = &get(row.field_oids[i]);
            fields.push_back(std::move(field));
        }
    }
    give_fields(type, std::move(fields));
    if (!holds_elements(type.kind)) return;
    type.element = &get(row.element);
    // A type of the same call may not have its name yet, so arrays keep theirs ("_mood") but for the underscore.
    if (type.kind == PgKind::array && type.name.starts_with('_')) type.name = type.name.substr(1) + "[]";
}

void PgTypes::add(std::vector<PgTypeRow> rows) {
    // Places first, so that types of one call may point at each other.
    std::vector<PgTypeRow*> wanted;
    for (PgTypeRow& row : rows) {
        if (row.oid == 0 || builtins().find(row.oid) != nullptr) continue;
        std::unique_ptr<PgType>& place = added_[row.oid];
        if (!place) place = std::make_unique<PgType>();
        wanted.push_back(&row);
    }
    for (PgTypeRow* row : wanted) {
        if (row->variety != 'd') fill(*added_[row->oid], *row);
    }
    // A domain is its base type under another oid; a domain over a domain needs another pass.
    for (std::size_t pass = 0; pass < wanted.size(); ++pass) {
        bool changed = false;
        for (PgTypeRow* row : wanted) {
            if (row->variety != 'd') continue;
            PgType& domain = *added_[row->oid];
            const PgType& base = get(row->element);
            changed |= domain.kind != base.kind || domain.element != base.element;
            domain.oid = row->oid;
            domain.name.assign(row->name);
            domain.kind = base.kind;
            domain.element = base.element;
            std::vector<PgField> fields;
            for (const PgField& field : base.fields) {
                PgField copy;
                copy.name = field.name.copy();
                copy.type = field.type;
                fields.push_back(std::move(copy));
            }
            give_fields(domain, std::move(fields));
            domain.factory = base.factory.copy();
            domain.members = base.members.copy();
            domain.labels = base.labels.copy();
        }
        if (!changed) break;
    }
    settle();
}

void PgTypes::settle() {
    for (const auto& [oid, type] : added_) type->binary = type->kind != PgKind::opaque;
    for (bool changed = true; changed;) {
        changed = false;
        for (const auto& [oid, type] : added_) {
            if (!type->binary) continue;
            bool binary = type->element == nullptr || type->element->binary;
            for (const PgField& field : type->fields) binary &= field.type->binary;
            if (binary) continue;
            type->binary = false;
            changed = true;
        }
    }
}

std::vector<std::uint32_t> PgTypes::missing(const std::vector<PgTypeRow>& rows) const {
    std::vector<std::uint32_t> found;
    const auto look_at = [&](std::uint32_t oid) {
        if (oid == 0 || find(oid) != nullptr) return;
        for (const PgTypeRow& row : rows) {
            if (row.oid == oid) return;
        }
        if (std::find(found.begin(), found.end(), oid) == found.end()) found.push_back(oid);
    };
    for (const PgTypeRow& row : rows) {
        look_at(row.element);
        for (const std::uint32_t oid : row.field_oids) look_at(oid);
    }
    return found;
}

}  // namespace barewire::walk
