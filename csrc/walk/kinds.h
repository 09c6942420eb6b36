// Python types that the walkers recognise, resolved on first sight and remembered; no walking happens here.
#pragma once

#include "py/python.h"
#include "py/ref.h"

namespace barewire::walk {

struct Kinds {
};

}  // namespace barewire::walk
