// The error value of the Python-free byte layers: a static text and the offset where reading failed.
#pragma once

#include <cstddef>

namespace barewire::base {

// `message` is nullptr for success and always points to static storage, so a Status is free to copy.
struct [[nodiscard]] Status {
    const char* message = nullptr;
    std::size_t offset = 0;

    static Status ok() noexcept { return {}; }
    static Status error(const char* text, std::size_t at = 0) noexcept { return {text, at}; }
    explicit operator bool() const noexcept { return message == nullptr; }
};

}  // namespace barewire::base
