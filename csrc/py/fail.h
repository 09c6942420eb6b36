// Where in a document an error happened: a path such as `items[3].price`, added to the exception as a note.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "py/python.h"

namespace barewire::py {

// Collected from the inside out while a walk unwinds; costs nothing before that.
class ErrorPath {
public:
    // Steps of the path, innermost first. Very deep paths keep their innermost steps only.
    void leave_key(const char* key) noexcept;
    void leave_index(std::size_t index) noexcept;
    void clear() noexcept { steps_.clear(); }

    // Adds "at items[3].price" to the exception being raised (BaseException.add_note, CPython 3.11 and later; nothing
    // before). The text of the exception itself stays as it is. Never replaces the error.
    void annotate() noexcept;

    // The path as text, "[3].price", outermost first, with the dot of an outermost key; the steps are forgotten. False if
    // memory is out.
    bool take(std::string& text) noexcept;

private:
    static constexpr std::size_t max_steps = 32;
    std::vector<std::string> steps_;
};

// Adds a note to the exception being raised (BaseException.add_note, CPython 3.11 and later; nothing before). Never replaces
// the error.
void note_exception(const std::string& text) noexcept;

}  // namespace barewire::py
