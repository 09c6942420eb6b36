// The catalogue query that makes unknown types known; see pkg/barewire/pg/_types.py for its columns.
#pragma once

#include <string>
#include <vector>

#include "bind/pg_call.h"

namespace barewire::bind {

class TypeLookup final : public Call<net::pg::Execution> {
public:
    // nullptr with a Python error set.
    static TypeLookup* make(PyObject* connection, const std::vector<std::uint32_t>& oids, int server_version);

    // On an event loop: `call` goes on afterwards; `owner` keeps it until then.
    void then(CallOwner<net::pg::Operation> owner, PgCall& call) noexcept {
        next_owner_ = std::move(owner);
        next_ = &call;
    }

    net::pg::Next next(net::pg::Item& item) noexcept override;
    net::pg::Answer result(std::size_t item, const net::pg::Statement& statement,
                           const net::pg::Result& result) noexcept override;

private:
    using Call::Call;
    std::string_view single_statement() const noexcept override { return text_; }
    py::Ref value() override;
    void completed_on_loop() noexcept override;

    std::string text_;
    net::pg::StatementUse use_;
    std::vector<std::uint32_t> asked_;
    py::Ref oids_, rows_;
    CallOwner<net::pg::Operation> next_owner_;
    PgCall* next_ = nullptr;
};

}  // namespace barewire::bind
