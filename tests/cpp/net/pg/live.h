// What the tests against a real PostgreSQL share: its address, the libraries, operations that keep what they get. No tests.
#pragma once

#include <poll.h>

#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "net/pg/connect.h"
#include "net/pg/connection.h"
#include "support/catch.h"

namespace barewire::test {

using namespace barewire::net;
using namespace barewire::net::pg;

// The connection string of the server under test; nullptr: the test cannot run, and says so.
inline const char* conninfo() {
    const char* text = std::getenv("BAREWIRE_TEST_POSTGRES");
    if (!text || !*text) WARN("skipped: BAREWIRE_TEST_POSTGRES names no server");
    return text && *text ? text : nullptr;
}

// Every test runs on the system's libpq and on those that BAREWIRE_TEST_LIBPQ names, separated by colons.
inline std::vector<std::string> libraries() {
    std::vector<std::string> all{"libpq.so.5"};
    if (const char* more = std::getenv("BAREWIRE_TEST_LIBPQ")) {
        std::istringstream parts(more);
        for (std::string part; std::getline(parts, part, ':');)
            if (!part.empty()) all.push_back(part);
    } else {
        WARN("only the system's libpq is tested: BAREWIRE_TEST_LIBPQ names no other");
    }
    return all;
}

inline std::shared_ptr<Engine> engine_of(const std::string& library) {
    static std::vector<std::pair<std::string, std::shared_ptr<Engine>>> known;
    for (auto& [name, engine] : known)
        if (name == library) return engine;
    std::string why;
    std::shared_ptr<Engine> engine = Engine::create(library.c_str(), why);
    INFO(library << ": " << why);
    REQUIRE(engine);
    known.emplace_back(library, engine);
    return engine;
}

class NoInterrupt final : public Interrupt {
public:
    bool interrupted() noexcept override { return false; }
};

class PlainWait final : public SocketWait {
public:
    Waited wait(int descriptor, Want want, Clock::time_point deadline) noexcept override {
        ++waits;
        if (interrupt_after >= 0 && waits > interrupt_after) return Waited::interrupted;
        NoInterrupt none;
        return wait_descriptor(descriptor, want, deadline, none);
    }
    int waits = 0;
    int interrupt_after = -1;
};

inline ConnectOptions options() {
    ConnectOptions options;
    options.parameters.emplace_back("dbname", conninfo());
    options.parameters.emplace_back("client_encoding", "UTF8");
    return options;
}

struct Connected {
    explicit Connected(std::shared_ptr<Engine> engine) {
        NoInterrupt none;
        Failure failure;
        pg_conn* made = connect(*engine, options(), none, failure);
        INFO(failure.message);
        REQUIRE(made);
        REQUIRE(connection.adopt(std::move(engine), made));
    }
    Connection* operator->() { return &connection; }
    Connection connection;
};

struct Cell {
    bool null = false;
    std::string bytes;
    bool operator==(const Cell&) const = default;
};

inline std::string int4(std::int32_t value) {
    std::string bytes(4, '\0');
    base::store_big(bytes.data(), value);
    return bytes;
}
inline std::string int8(std::int64_t value) {
    std::string bytes(8, '\0');
    base::store_big(bytes.data(), value);
    return bytes;
}
inline std::int64_t integer(const std::string& bytes) {
    if (bytes.size() == 8) return base::load_big<std::int64_t>(bytes.data());
    if (bytes.size() == 4) return base::load_big<std::int32_t>(bytes.data());
    return -1;
}

// Some statements with parameters given as bytes; keeps everything. On the stack of a test, so never deleted.
class Query : public Execution {
public:
    struct One {
        std::size_t use = 0;
        std::vector<std::string> parameters;
    };
    Query() = default;
    Query(const char* text, std::vector<std::string> parameters = {}, bool once = false) {
        add_use(text, once);
        items.push_back({0, std::move(parameters)});
    }
    void add_use(const char* text, bool once = false) {
        StatementUse use;
        use.key.text = text;
        use.key.size = std::strlen(text);
        use.once = once;
        all_uses.push_back(use);
        uses = all_uses.data();
        use_count = all_uses.size();
    }
    void add(const char* text, std::vector<std::string> parameters = {}) {
        add_use(text);
        items.push_back({all_uses.size() - 1, std::move(parameters)});
    }

    bool rewind(std::size_t from) noexcept override {
        if (!rewindable) return false;
        ++rewinds;
        position = from;
        while (!row_items.empty() && row_items.back() >= from) {
            row_items.pop_back();
            rows.pop_back();
        }
        return true;
    }
    Next next(Item& item) noexcept override {
        if (position == wait_at) {
            wait_at = static_cast<std::size_t>(-1);
            return Next::wait;
        }
        if (position == refuse_at) return Next::refuse;
        if (position == items.size()) return Next::end;
        const One& one = items[position++];
        for (const std::string& parameter : one.parameters) {
            const std::size_t from = item.parameters.bytes.size();
            if (parameter == "<null>") {
                if (!item.parameters.add_null()) return Next::refuse;
                continue;
            }
            if (!item.parameters.bytes.append(parameter.data(), parameter.size()) || !item.parameters.add(from, binary))
                return Next::refuse;
        }
        item.use = static_cast<std::uint32_t>(one.use);
        item.binary_results = binary;
        item.chunk_rows = chunk_rows;
        return Next::item;
    }
    Answer result(std::size_t item, const Statement& statement, const Result& result) noexcept override {
        ++results;
        if (result.kind() == ResultKind::rows_part) ++parts;
        if (result.kind() == ResultKind::error) {
            errors.emplace_back(item, std::string(result.error_field(ErrorField::sqlstate)));
            return Answer::more;
        }
        columns.clear();
        for (const Column& column : statement.columns) columns.push_back(column.name);
        for (int row = 0; row < result.rows(); ++row) {
            auto& cells = rows.emplace_back();
            for (int column = 0; column < result.columns(); ++column) {
                int length = 0;
                const char* data = result.cell(row, column, length);
                if (length < 0) cells.push_back({true, ""});
                else cells.push_back({false, std::string(data, static_cast<std::size_t>(length))});
            }
            row_items.push_back(item);
        }
        if (result.complete()) tags.emplace_back(result.command_tag());
        if (on_result) return on_result();
        return Answer::more;
    }
    void completed() noexcept override {
        ++completions;
        if (on_completed) on_completed();
    }
    std::string state() const {
        return error ? std::string(error.view().error_field(ErrorField::sqlstate)) : std::string();
    }
    std::string text(std::size_t row = 0, std::size_t column = 0) const { return rows.at(row).at(column).bytes; }

    std::vector<StatementUse> all_uses;
    std::vector<One> items;
    std::size_t position = 0, refuse_at = static_cast<std::size_t>(-1), wait_at = static_cast<std::size_t>(-1);
    bool binary = true, rewindable = true;
    int chunk_rows = 0;
    int rewinds = 0, results = 0, parts = 0, completions = 0;
    std::vector<std::vector<Cell>> rows;
    std::vector<std::size_t> row_items;
    std::vector<std::string> tags, columns;
    std::vector<std::pair<std::size_t, std::string>> errors;
    std::function<Answer()> on_result;
    std::function<void()> on_completed;

protected:
    void destroy() noexcept override {}
};

class Text : public Script {
public:
    explicit Text(const char* script) { text = script; }
    Answer result(const Result& result) noexcept override {
        ++results;
        for (int row = 0; row < result.rows(); ++row) {
            int length = 0;
            const char* data = result.cell(row, 0, length);
            values.emplace_back(data, length < 0 ? 0 : static_cast<std::size_t>(length));
        }
        if (result.complete()) tags.emplace_back(result.command_tag());
        return Answer::more;
    }
    void completed() noexcept override { ++completions; }
    std::string state() const {
        return error ? std::string(error.view().error_field(ErrorField::sqlstate)) : std::string();
    }
    int results = 0, completions = 0;
    std::vector<std::string> values, tags;

protected:
    void destroy() noexcept override {}
};

// Runs a script and demands success.
inline std::vector<std::string> script(Connection& connection, const char* text) {
    Text operation(text);
    PlainWait wait;
    connection.run(operation, wait);
    INFO(text << ": " << operation.failure.message);
    REQUIRE(operation.finished);
    REQUIRE(!operation.failure);
    return operation.values;
}

// A loop around one reactor.
struct Loop {
    Loop() {
        int error = 0;
        reactor = Reactor::create(error);
        REQUIRE(reactor);
    }
    ~Loop() { reactor->close(); }
    // Until `done`, or for so long; the result of `done`.
    bool until(const std::function<bool()>& done, int milliseconds = 10000) {
        const auto end = Clock::now() + std::chrono::milliseconds(milliseconds);
        while (!done()) {
            const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(end - Clock::now()).count();
            if (left <= 0) return done();
            pollfd entry{reactor->descriptor(), POLLIN, 0};
            ++polls;
            ::poll(&entry, 1, static_cast<int>(left));
            Reactor::Turn turn(*reactor);
            reactor->drain();
            if (after_drain) after_drain();
        }
        return true;
    }
    std::shared_ptr<Reactor> reactor;
    std::function<void()> after_drain;
    int polls = 0;
};

}  // namespace barewire::test
