// What the codec knows about each PostgreSQL type: built-in ones of every server, and those that one database adds.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "py/python.h"
#include "py/ref.h"
#include "wire/pg/kind.h"

namespace barewire::walk {

using PgKind = wire::pg::Kind;
struct PgType;

// A column of a composite.
struct PgField {
    py::Ref name;  // str
    const PgType* type = nullptr;
};

// Lives as long as its registry (built-in ones: as long as the process), at the same address.
struct PgType {
    std::uint32_t oid = 0;
    PgKind kind = PgKind::opaque;
    // False if the type, or something inside it, has no binary form that is known here: results with it must be asked for
    // as text, and a parameter of it travels as text (pg_encode then writes text).
    bool binary = false;
    const PgType* element = nullptr;  // of an array, the bounds of a range, the ranges of a multirange
    std::string name;
    std::vector<PgField> fields;      // of a composite
    py::Ref factory;                  // composite: called with one argument per column; empty: a tuple
    py::Ref members;                  // enumeration: dict label -> Python value; empty: the label itself
    py::Ref labels;                   // enumeration: dict Python value -> label
};

// A type as the catalogue describes it; see PgTypes::add.
struct PgTypeRow {
    std::uint32_t oid = 0;
    std::string_view name;
    char variety = 'b';               // pg_type.typtype: b(ase) c(omposite) d(omain) e(num) r(ange) m(ultirange)
    bool is_array = false;            // a true array: typsubscript is array_subscript_handler
    std::uint32_t element = 0;        // of an array, base type of a domain, subtype of a range, range of a multirange
    // Of a composite: names and oids of its columns, in order.
    std::vector<py::Ref> field_names;
    std::vector<std::uint32_t> field_oids;
    py::Ref factory, members, labels; // as in PgType
};

// Oid -> type. Used with the GIL held only.
class PgTypes {
public:
    // nullptr if neither built in nor added.
    const PgType* find(std::uint32_t oid) const noexcept;
    // Like find, but an opaque type (whose oid is 0) instead of nullptr.
    const PgType& get(std::uint32_t oid) const noexcept;

    // Adds types, or describes added ones anew. Types may refer to others of the same call in any order. What they refer to
    // and is not known is taken as opaque. Base types are recognised by name (hstore, citext, ltree, lquery, ...), others are
    // opaque. Built-in oids are left as they are.
    void add(std::vector<PgTypeRow> rows);

    // The oids that `rows` lack: elements, bases and columns that are neither known nor among them.
    std::vector<std::uint32_t> missing(const std::vector<PgTypeRow>& rows) const;

private:
    void fill(PgType& type, PgTypeRow& row);
    void give_fields(PgType& type, std::vector<PgField> fields);
    // Derives PgType::binary of added types from what they contain.
    void settle();

    std::unordered_map<std::uint32_t, std::unique_ptr<PgType>> added_;
    std::vector<std::vector<PgField>> retired_;  // columns of composites that were described anew
};

}  // namespace barewire::walk
