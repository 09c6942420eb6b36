// What the first word of a statement says about it.
#include "net/pg/statement_text.h"

namespace barewire::net::pg {

bool leaves_nothing_behind(std::string_view text) noexcept {
    for (;;) {
        while (!text.empty() && (text[0] == ' ' || (text[0] >= '\t' && text[0] <= '\r') || text[0] == '('))
            text.remove_prefix(1);
        if (text.substr(0, 2) == "--") {
            const std::size_t end = text.find('\n');
            if (end == std::string_view::npos) return false;
            text.remove_prefix(end);
        } else if (text.substr(0, 2) == "/*") {
            // Comments nest; what opens another one inside is left alone.
            const std::size_t end = text.find("*/", 2);
            if (end == std::string_view::npos || text.substr(2, end - 2).find("/*") != std::string_view::npos) return false;
            text.remove_prefix(end + 2);
        } else {
            break;
        }
    }
    char word[8] = {};
    std::size_t size = 0;
    while (size < text.size() && size < sizeof word) {
        const char lower = static_cast<char>(text[size] | 0x20);
        if (lower < 'a' || lower > 'z') break;
        word[size++] = lower;
    }
    const std::string_view first(word, size);
    for (std::string_view each : {"select", "insert", "update", "delete", "with", "values", "table", "merge", "show", "explain"})
        if (first == each) return true;
    return false;
}

}  // namespace barewire::net::pg
