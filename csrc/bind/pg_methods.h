// The methods that all PostgreSQL connections share and that run something.
#pragma once

#include <cstddef>

#include "py/python.h"

namespace barewire::bind {

extern const PyMethodDef pg_statement_methods[];
extern const std::size_t pg_statement_method_count;

}  // namespace barewire::bind
