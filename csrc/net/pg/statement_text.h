// What can be told from a statement's text without parsing it. Nothing that asks the server may live here.
#pragma once

#include <string_view>

namespace barewire::net::pg {

// SELECT, INSERT, UPDATE, DELETE, WITH, VALUES, TABLE, MERGE, SHOW, EXPLAIN: it changes nothing of the session, and cannot end a
// transaction by itself, so that an error undoes all of it. False for what cannot be told.
bool leaves_nothing_behind(std::string_view text) noexcept;

}  // namespace barewire::net::pg
