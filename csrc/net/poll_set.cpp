// The table of registrations behind a reactor. Nothing but registering may live here.
#include "net/poll_set.h"

#include <cerrno>
#include <new>

namespace barewire::net {
namespace {

std::uint64_t token_of(std::uint32_t index, std::uint32_t serial) noexcept {
    return std::uint64_t{serial} << 32 | index;
}

}  // namespace

std::shared_ptr<PollSet> PollSet::create(int& error) noexcept {
    try {
        auto set = std::make_shared<PollSet>();
        error = set->poller_.open();
        return error ? nullptr : set;
    } catch (const std::bad_alloc&) {
        error = ENOMEM;
        return nullptr;
    }
}

PollSet::Entry* PollSet::find(std::uint32_t index, std::uint32_t serial) noexcept {
    if (index >= entries_.size()) return nullptr;
    Entry& entry = entries_[index];
    return entry.steppable && entry.serial == serial ? &entry : nullptr;
}

// The entry may be used again, under another serial.
void PollSet::vacate(Entry& entry, std::uint32_t index) noexcept {
    poller_.remove(entry.descriptor, entry.interest);
    entry.steppable = nullptr;
    entry.in_flight = false;
    ++entry.serial;
    entry.next_free = first_free_;
    first_free_ = index;
}

int PollSet::enter(Steppable& steppable, Registration& registration, Want want,
                   const std::shared_ptr<PollSet>& self) noexcept {
    std::lock_guard guard(mutex_);
    if (closed_) return ESHUTDOWN;
    if (registration.set.get() == this) {
        // Gone if resolve() has taken it out in the meantime.
        if (Entry* entry = find(registration.index, registration.serial)) {
            if (entry->interest != want) {
                const std::uint64_t token = token_of(registration.index, registration.serial);
                if (const int error = poller_.modify(entry->descriptor, entry->interest, want, token)) return error;
                entry->interest = want;
            }
            entry->in_flight = true;
            return 0;
        }
    }
    std::uint32_t index = first_free_;
    if (index == none) {
        index = static_cast<std::uint32_t>(entries_.size());
        try {
            entries_.emplace_back();
        } catch (const std::bad_alloc&) {
            return ENOMEM;
        }
    } else {
        first_free_ = entries_[index].next_free;
    }
    Entry& entry = entries_[index];
    entry.descriptor = steppable.descriptor();
    if (const int error = poller_.add(entry.descriptor, want, token_of(index, entry.serial))) {
        entry.next_free = first_free_;
        first_free_ = index;
        return error;
    }
    entry.steppable = &steppable;
    entry.interest = want;
    entry.in_flight = true;
    registration.set = self;
    registration.index = index;
    registration.serial = entry.serial;
    return 0;
}

int PollSet::want(const Registration& registration, Want want) noexcept {
    std::lock_guard guard(mutex_);
    Entry* entry = find(registration.index, registration.serial);
    if (!entry) return closed_ ? ESHUTDOWN : ENOENT;
    if (entry->interest == want) return 0;
    const std::uint64_t token = token_of(registration.index, registration.serial);
    const int error = poller_.modify(entry->descriptor, entry->interest, want, token);
    if (!error) entry->interest = want;
    return error;
}

void PollSet::rest(const Registration& registration) noexcept {
    std::lock_guard guard(mutex_);
    Entry* entry = find(registration.index, registration.serial);
    if (!entry) return;
    entry->in_flight = false;
    if (entry->interest == Want::read) return;
    // Left waiting for writing, an idle connection would be ready all the time.
    const std::uint64_t token = token_of(registration.index, registration.serial);
    if (poller_.modify(entry->descriptor, entry->interest, Want::read, token) == 0) entry->interest = Want::read;
    else vacate(*entry, registration.index);
}

Steppable* PollSet::resolve(std::uint64_t token) noexcept {
    std::lock_guard guard(mutex_);
    const auto index = static_cast<std::uint32_t>(token);
    Entry* entry = find(index, static_cast<std::uint32_t>(token >> 32));
    if (!entry) return nullptr;
    if (entry->in_flight) return entry->steppable;
    // The connection is alive: it cannot be destroyed without leave(), which needs this mutex.
    entry->steppable->suspect_.store(true, std::memory_order_relaxed);
    vacate(*entry, index);
    return nullptr;
}

void PollSet::leave(Registration& registration) noexcept {
    std::lock_guard guard(mutex_);
    if (Entry* entry = find(registration.index, registration.serial)) vacate(*entry, registration.index);
}

void PollSet::wake() noexcept {
    std::lock_guard guard(wake_mutex_);
    if (awake_) poller_.wake();
}

void PollSet::close() noexcept {
    std::scoped_lock guard(mutex_, wake_mutex_);
    if (closed_) return;
    closed_ = true;
    awake_ = false;
    // Taken out one by one: closing the set alone would do, unless a forked child still holds a copy of it.
    for (std::uint32_t index = 0; index < entries_.size(); ++index) {
        if (entries_[index].steppable) vacate(entries_[index], index);
    }
    poller_.close();
}

void PollSet::close_after_fork() noexcept { poller_.close(); }

}  // namespace barewire::net
