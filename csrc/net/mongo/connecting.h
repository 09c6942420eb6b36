// The worker's job that fills one slot of a pool. Nothing else.
#pragma once

#include <memory>

#include "net/mongo/connection.h"
#include "net/workers.h"

namespace barewire::net::mongo {

class ConnectJob final : public Job {
public:
    // Counts in server.pending until it has run or was abandoned.
    ConnectJob(std::shared_ptr<Engine> engine, Server& server, Connection& slot) noexcept;
    void run(const std::atomic<bool>& stop) noexcept override;
    void abandoned() noexcept override;
    // The system has no thread for it.
    void refused() noexcept;

private:
    void give_up(const Failure& why) noexcept;

    std::shared_ptr<Engine> engine_;
    Server& server_;
    Connection& slot_;
};

}  // namespace barewire::net::mongo
