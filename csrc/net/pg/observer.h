// What a server tells a connection unasked: notices, notifications, the end. No result of a statement may live here.
#pragma once

#include <string_view>

#include "net/failure.h"
#include "net/pg/result.h"

namespace barewire::net::pg {

// Called on the thread that uses the connection, from inside its functions (notices: from inside libpq). An observer copies
// what it needs and does nothing else; user code runs later.
class Observer {
public:
    // Only error_field() and error_message() make sense here.
    virtual void notice(const Result& notice) noexcept = 0;
    virtual void notification(std::string_view channel, std::string_view payload, int process) noexcept = 0;
    // The connection has ended by itself. Once.
    virtual void lost(const Failure& why) noexcept = 0;

protected:
    ~Observer() = default;
};

}  // namespace barewire::net::pg
