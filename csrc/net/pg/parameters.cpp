// The arena of parameters and libpq's arrays over it. Nothing else may live here.
#include "net/pg/parameters.h"

#include <new>

#include "base/bytes.h"

namespace barewire::net::pg {

bool Parameters::add(std::size_t from, bool binary) noexcept {
    const std::size_t size = bytes.size() - from;
    if (size > 0x3fffffff) return false;   // the server takes no value of 1 GiB or more
    if (!binary && !bytes.append("", 1)) return false;
    try {
        // The reserves first, so that the three stay of one length.
        offsets_.reserve(offsets_.size() + 1);
        lengths_.reserve(lengths_.size() + 1);
        formats_.reserve(formats_.size() + 1);
    } catch (const std::bad_alloc&) {
        return false;
    }
    offsets_.push_back(from);
    lengths_.push_back(static_cast<int>(size));
    formats_.push_back(binary ? 1 : 0);
    return true;
}

bool Parameters::add_null() noexcept {
    const std::size_t from = bytes.size();
    if (!add(from)) return false;
    offsets_.back() = null_offset;
    return true;
}

bool Parameters::add_fields(std::size_t from, std::size_t count) noexcept {
    const std::size_t before = offsets_.size();
    try {
        offsets_.reserve(before + count);
        lengths_.reserve(before + count);
        formats_.reserve(before + count);
    } catch (const std::bad_alloc&) {
        return false;
    }
    offsets_.resize(before + count);
    lengths_.resize(before + count);
    formats_.resize(before + count, 1);
    for (std::size_t i = before; i < before + count; ++i) {
        const auto length = base::load_big<std::int32_t>(bytes.data() + from);
        from += 4;
        offsets_[i] = length < 0 ? null_offset : from;
        lengths_[i] = length < 0 ? 0 : length;
        from += static_cast<std::size_t>(lengths_[i]);
    }
    return true;
}

bool Parameters::arrange() noexcept {
    try {
        pointers_.resize(offsets_.size());
    } catch (const std::bad_alloc&) {
        return false;
    }
    // libpq takes a null pointer for NULL, so an empty value needs an address even while the arena has no memory.
    const char* base = bytes.data() ? reinterpret_cast<const char*>(bytes.data()) : "";
    for (std::size_t i = 0; i < offsets_.size(); ++i)
        pointers_[i] = offsets_[i] == null_offset ? nullptr : base + offsets_[i];
    return true;
}

}  // namespace barewire::net::pg
