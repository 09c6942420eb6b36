// The handshake as a loop over libpq's steps, and the job that runs it on a worker. What follows it lives in connection.
#include "net/pg/connect.h"

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string_view>

#include "net/pg/libpq.h"

namespace barewire::net::pg {

namespace {

using Options = std::vector<std::pair<std::string, std::string>>;

void ignore_notice(void*, const PGresult*) {}

std::string text_of(const char* message) {
    std::string text = message ? message : "";
    while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
    return text;
}

// libpq's own timeout is only obeyed by its blocking functions, so it is kept here: for each host, at least two seconds.
struct Hosts {
    Clock::duration timeout = Clock::duration::zero();
    std::vector<std::string> names, addresses, ports;

    Hosts(const Libpq& libpq, PGconn* connection) {
        PQconninfoOption* options = libpq.PQconninfo_(connection);
        for (PQconninfoOption* each = options; each && each->keyword; ++each) {
            if (!each->val) continue;
            const std::string_view keyword = each->keyword;
            if (keyword == "connect_timeout") {
                const int seconds = std::atoi(each->val);
                if (seconds > 0) timeout = std::chrono::seconds(std::max(seconds, 2));
            } else if (keyword == "host") {
                names = split(each->val);
            } else if (keyword == "hostaddr") {
                addresses = split(each->val);
            } else if (keyword == "port") {
                ports = split(each->val);
            }
        }
        libpq.PQconninfoFree_(options);
    }
    std::size_t size() const { return std::max(names.size(), addresses.size()); }

    // The hosts behind the first `count`, as parameters that override the ones before.
    Options rest(std::size_t count) const {
        Options result;
        if (names.size() > count) result.emplace_back("host", join(names, count));
        if (addresses.size() > count) result.emplace_back("hostaddr", join(addresses, count));
        if (ports.size() > 1 && ports.size() > count) result.emplace_back("port", join(ports, count));
        return result;
    }

private:
    static std::vector<std::string> split(std::string_view list) {
        std::vector<std::string> parts;
        for (;;) {
            const std::size_t comma = list.find(',');
            parts.emplace_back(list.substr(0, comma));
            if (comma == std::string_view::npos) return parts;
            list.remove_prefix(comma + 1);
        }
    }
    static std::string join(const std::vector<std::string>& parts, std::size_t from) {
        std::string list = parts[from];
        for (std::size_t i = from + 1; i < parts.size(); ++i) list += ',' + parts[i];
        return list;
    }
};

enum class Outcome : std::uint8_t { connected, failed, host_timeout };

class Handshake {
public:
    Handshake(const Libpq& libpq, Interrupt& interrupt, Clock::time_point deadline, Failure& failure)
        : libpq_(libpq), interrupt_(interrupt), deadline_(deadline), failure_(failure) {}
    Handshake(const Handshake&) = delete;
    Handshake& operator=(const Handshake&) = delete;
    ~Handshake() {
        if (connection_) libpq_.PQfinish_(connection_);
    }

    Outcome run(const Options& parameters) {
        std::vector<const char*> keywords, values;
        for (const auto& [keyword, value] : parameters) {
            keywords.push_back(keyword.c_str());
            values.push_back(value.c_str());
        }
        keywords.push_back(nullptr);
        values.push_back(nullptr);
        connection_ = libpq_.PQconnectStartParams_(keywords.data(), values.data(), 1);
        if (!connection_) {
            failure_.kind = Failure::Kind::out_of_memory;
            return Outcome::failed;
        }
        libpq_.PQsetNoticeReceiver_(connection_, &ignore_notice, nullptr);
        if (libpq_.PQstatus_(connection_) == CONNECTION_BAD) return refused();
        hosts = std::make_unique<Hosts>(libpq_, connection_);
        return follow();
    }

    PGconn* connection() const noexcept { return connection_; }
    PGconn* release() noexcept { return std::exchange(connection_, nullptr); }

    std::unique_ptr<Hosts> hosts;
    std::size_t position = 0;   // of the host that is being tried

private:
    Outcome refused() {
        failure_.kind = Failure::Kind::network;
        failure_.message = text_of(libpq_.PQerrorMessage_(connection_));
        return Outcome::failed;
    }

    Clock::time_point host_deadline() const {
        return hosts->timeout > Clock::duration::zero() ? Clock::now() + hosts->timeout : Clock::time_point::max();
    }

    Outcome follow() {
        PostgresPollingStatusType state = PGRES_POLLING_WRITING;
        const char* host = libpq_.PQhost_(connection_);
        Clock::time_point until = host_deadline();
        for (;;) {
            if (state == PGRES_POLLING_OK) return Outcome::connected;
            if (state == PGRES_POLLING_FAILED) return refused();
            const Want want = state == PGRES_POLLING_READING ? Want::read : Want::write;
            switch (wait_descriptor(libpq_.PQsocket_(connection_), want, std::min(until, deadline_), interrupt_)) {
                case Waited::ready: break;
                case Waited::timeout:
                    failure_.kind = Failure::Kind::network_timeout;
                    failure_.message = "connection timeout expired";
                    return Clock::now() < deadline_ ? Outcome::host_timeout : Outcome::failed;
                case Waited::interrupted:
                    failure_.kind = Failure::Kind::interrupted;
                    failure_.message = "interrupted";
                    return Outcome::failed;
                case Waited::failed:
                    failure_.kind = Failure::Kind::network;
                    failure_.code = errno;
                    failure_.message = std::strerror(errno);
                    return Outcome::failed;
            }
            state = libpq_.PQconnectPoll_(connection_);
            const char* now = libpq_.PQhost_(connection_);
            if (now != host) {   // libpq gives a pointer into its entry of the host
                host = now;
                ++position;
                until = host_deadline();
            }
        }
    }

    const Libpq& libpq_;
    Interrupt& interrupt_;
    const Clock::time_point deadline_;
    Failure& failure_;
    PGconn* connection_ = nullptr;
};

}  // namespace

pg_conn* connect(const Engine& engine, const ConnectOptions& options, Interrupt& interrupt, Failure& failure,
                 bool* needs_password) noexcept {
    const Libpq& libpq = engine.libpq();
    const Clock::time_point deadline =
        options.timeout > Clock::duration::zero() ? Clock::now() + options.timeout : Clock::time_point::max();
    failure = {};
    try {
        Options parameters = options.parameters;
        for (;;) {
            Handshake handshake(libpq, interrupt, deadline, failure);
            switch (handshake.run(parameters)) {
                case Outcome::connected: {
                    PGconn* connection = handshake.release();
                    failure = {};
                    if (libpq.PQsetnonblocking_(connection, 1) == 0) return connection;
                    failure.kind = Failure::Kind::network;
                    failure.message = text_of(libpq.PQerrorMessage_(connection));
                    libpq.PQfinish_(connection);
                    return nullptr;
                }
                case Outcome::host_timeout: {
                    // libpq cannot be told to go on with the next host, so it starts anew with the rest.
                    const std::size_t next = handshake.position + 1;
                    if (!handshake.hosts || next >= handshake.hosts->size()) return nullptr;
                    for (auto& rest : handshake.hosts->rest(next)) parameters.push_back(std::move(rest));
                    break;
                }
                case Outcome::failed:
                    if (needs_password && handshake.connection())
                        *needs_password = libpq.PQconnectionNeedsPassword_(handshake.connection()) != 0;
                    return nullptr;
            }
        }
    } catch (const std::bad_alloc&) {
        failure = {};
        failure.kind = Failure::Kind::out_of_memory;
        return nullptr;
    }
}

class ConnectJob final : public Job, public Interrupt {
public:
    ConnectJob(Connecting& connecting, std::shared_ptr<const ConnectOptions> options) noexcept
        : connecting_(connecting), options_(std::move(options)) {}

    void run(const std::atomic<bool>& stop) noexcept override {
        stop_ = &stop;
        connecting_.made_ =
            connect(*connecting_.engine_, *options_, *this, connecting_.failure, &connecting_.needs_password);
        hand_over();
    }
    void abandoned() noexcept override {
        connecting_.failure.kind = Failure::Kind::closed;
        hand_over();
    }
    bool interrupted() noexcept override {
        // relaxed: flags that are polled.
        return stop_->load(std::memory_order_relaxed) || connecting_.cancelled_.load(std::memory_order_relaxed);
    }

private:
    void hand_over() noexcept {
        const std::shared_ptr<Reactor> reactor = connecting_.reactor_;
        if (!reactor->post(connecting_)) connecting_.abandoned();
    }

    Connecting& connecting_;
    const std::shared_ptr<const ConnectOptions> options_;
    const std::atomic<bool>* stop_ = nullptr;
};

bool Connecting::start(std::shared_ptr<Engine> engine, std::shared_ptr<const ConnectOptions> options,
                       Reactor& reactor) noexcept {
    engine_ = std::move(engine);
    reactor_ = reactor.shared_from_this();
    failure = {};
    needs_password = false;
    std::unique_ptr<Job> job(new (std::nothrow) ConnectJob(*this, std::move(options)));
    if (!job) {
        failure.kind = Failure::Kind::out_of_memory;
        return false;
    }
    switch (engine_->workers().submit(job)) {
        case Submitted::accepted: return true;
        case Submitted::stopped: failure.kind = Failure::Kind::closed; break;
        case Submitted::no_threads:
            failure.kind = Failure::Kind::network;
            failure.message = "no thread to connect with";
            break;
    }
    return false;
}

void Connecting::run() noexcept {
    PGconn* made = std::exchange(made_, nullptr);
    if (cancelled_.load(std::memory_order_relaxed)) {
        if (made) engine_->libpq().PQfinish_(made);
        made = nullptr;
        failure = {};
        failure.kind = Failure::Kind::cancelled;
    }
    connected(made);
}

void Connecting::abandoned() noexcept {
    if (PGconn* made = std::exchange(made_, nullptr)) engine_->libpq().PQfinish_(made);
    dropped();
}

}  // namespace barewire::net::pg
