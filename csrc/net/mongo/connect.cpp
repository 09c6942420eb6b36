// The handshake through libmongoc: a single-threaded client on a stream of ours, thrown away when it has authenticated.
#include "net/mongo/connect.h"

#include <mongoc/mongoc.h>

#include <strings.h>

#include <cctype>
#include <cerrno>
#include <memory>
#include <new>
#include <system_error>
#include <unistd.h>
#include <utility>

#include "net/mongo/hello.h"
#include "net/mongo/stream.h"

namespace barewire::net::mongo {

namespace {

struct UriDeleter { void operator()(mongoc_uri_t* uri) const { mongoc_uri_destroy(uri); } };
struct ClientDeleter { void operator()(mongoc_client_t* client) const { mongoc_client_destroy(client); } };
struct DescriptionDeleter {
    void operator()(mongoc_server_description_t* description) const { mongoc_server_description_destroy(description); }
};
using Uri = std::unique_ptr<mongoc_uri_t, UriDeleter>;
using SingleClient = std::unique_ptr<mongoc_client_t, ClientDeleter>;
using Description = std::unique_ptr<mongoc_server_description_t, DescriptionDeleter>;

// Options that concern a whole deployment or things we do ourselves; the rest goes along.
bool belongs_to_deployment(const char* key) {
    // Names instead of libmongoc's macros: some of them are gone in later versions.
    for (const char* name : {"replicaset", "directconnection", "compressors", "zlibcompressionlevel",
                             "serverselectiontryonce", "readpreference", "readpreferencetags", "maxstalenessseconds",
                             "maxpoolsize", "minpoolsize", "maxidletimems", "waitqueuemultiple", "waitqueuetimeoutms",
                             "srvservicename", "srvmaxhosts", "sockettimeoutms", "heartbeatfrequencyms",
                             "serverselectiontimeoutms", "socketcheckintervalms", "w", "wtimeoutms", "journal",
                             "readconcernlevel"}) {
        if (strcasecmp(name, key) == 0) return true;
    }
    return false;
}

std::string escape(const std::string& text) {
    static constexpr char digits[] = "0123456789ABCDEF";
    std::string result;
    for (unsigned char c : text) {
        if (std::isalnum(c) || c == '.' || c == '-' || c == '_') result += static_cast<char>(c);
        else (result += '%') += {digits[c >> 4], digits[c & 15]};
    }
    return result;
}

// The client's URI with this one server in it.
Uri direct_uri(const mongoc_uri_t* from, const std::string& address) {
    const Endpoint endpoint = parse_endpoint(address);
    const bool balanced = mongoc_uri_get_option_as_bool(from, MONGOC_URI_LOADBALANCED, false);
    std::string text = "mongodb://";
    if (endpoint.local) text += escape(endpoint.host);
    else if (endpoint.host.find(':') != std::string::npos) text += "[" + endpoint.host + "]:" + std::to_string(endpoint.port);
    else text += endpoint.host + ":" + std::to_string(endpoint.port);
    text += "/";
    bson_error_t error;
    Uri uri(mongoc_uri_new_with_error(text.c_str(), &error));
    if (!uri) return uri;
    bson_iter_t option;
    if (const bson_t* options = mongoc_uri_get_options(from); options && bson_iter_init(&option, options)) {
        while (bson_iter_next(&option)) {
            const char* key = bson_iter_key(&option);
            if (belongs_to_deployment(key)) continue;
            if (BSON_ITER_HOLDS_BOOL(&option)) mongoc_uri_set_option_as_bool(uri.get(), key, bson_iter_bool(&option));
            else if (BSON_ITER_HOLDS_INT32(&option))
                mongoc_uri_set_option_as_int32(uri.get(), key, bson_iter_int32(&option));
            else if (BSON_ITER_HOLDS_INT64(&option))
                mongoc_uri_set_option_as_int64(uri.get(), key, bson_iter_int64(&option));
            else if (BSON_ITER_HOLDS_UTF8(&option))
                mongoc_uri_set_option_as_utf8(uri.get(), key, bson_iter_utf8(&option, nullptr));
        }
    }
    if (!balanced) mongoc_uri_set_option_as_bool(uri.get(), MONGOC_URI_DIRECTCONNECTION, true);
    mongoc_uri_set_option_as_bool(uri.get(), MONGOC_URI_SERVERSELECTIONTRYONCE, true);
    // libmongoc reads and writes during authentication with the socket timeout: five minutes by default.
    const std::int32_t timeout = mongoc_uri_get_option_as_int32(from, MONGOC_URI_CONNECTTIMEOUTMS, 10000);
    mongoc_uri_set_option_as_int32(uri.get(), MONGOC_URI_SOCKETTIMEOUTMS, timeout > 0 ? timeout : 10000);
    if (const char* mechanism = mongoc_uri_get_auth_mechanism(from)) mongoc_uri_set_auth_mechanism(uri.get(), mechanism);
    if (const char* user = mongoc_uri_get_username(from)) mongoc_uri_set_username(uri.get(), user);
    if (const char* password = mongoc_uri_get_password(from)) mongoc_uri_set_password(uri.get(), password);
    if (mongoc_uri_get_username(from) || mongoc_uri_get_auth_mechanism(from)) {
        if (const char* source = mongoc_uri_get_auth_source(from)) mongoc_uri_set_auth_source(uri.get(), source);
        bson_t properties;
        if (mongoc_uri_get_mechanism_properties(from, &properties))
            mongoc_uri_set_mechanism_properties(uri.get(), &properties);
    }
    return uri;
}

// One attempt; the initiator fills it in.
struct Attempt {
    const std::string& address;
    const std::atomic<bool>& cancelled;
    Clock::time_point connect_deadline;
    std::chrono::milliseconds connect_timeout{0};
    StreamState state;
    Failure failure;
    int descriptor = -1;                 // of the stream that lives
    mongoc_stream_t* tls = nullptr;
    mongoc_stream_t* outer = nullptr;    // what libmongoc holds
};

const char* option_text(const mongoc_uri_t* uri, const char* name) {
    return mongoc_uri_get_option_as_utf8(uri, name, nullptr);
}

mongoc_stream_t* start_tls(const mongoc_uri_t* uri, const char* host, mongoc_stream_t* base, Attempt& attempt,
                           bson_error_t* error) {
#ifdef MONGOC_ENABLE_SSL
    mongoc_ssl_opt_t options{};
    options.pem_file = option_text(uri, MONGOC_URI_TLSCERTIFICATEKEYFILE);
    options.pem_pwd = option_text(uri, MONGOC_URI_TLSCERTIFICATEKEYFILEPASSWORD);
    options.ca_file = option_text(uri, MONGOC_URI_TLSCAFILE);
    const bool insecure = mongoc_uri_get_option_as_bool(uri, MONGOC_URI_TLSINSECURE, false);
    options.weak_cert_validation =
        insecure || mongoc_uri_get_option_as_bool(uri, MONGOC_URI_TLSALLOWINVALIDCERTIFICATES, false);
    options.allow_invalid_hostname =
        insecure || mongoc_uri_get_option_as_bool(uri, MONGOC_URI_TLSALLOWINVALIDHOSTNAMES, false);
    mongoc_stream_t* tls = mongoc_stream_tls_new_with_hostname(base, host, &options, 1);
    if (!tls) {
        mongoc_stream_destroy(base);
        attempt.failure.kind = Failure::Kind::configuration;
        attempt.failure.message = "cannot set up TLS: wrong certificate, key or CA file?";
        bson_set_error(error, MONGOC_ERROR_STREAM, MONGOC_ERROR_STREAM_SOCKET, "%s", attempt.failure.message.c_str());
        return nullptr;
    }
    if (!mongoc_stream_tls_handshake_block(tls, host, static_cast<std::int32_t>(attempt.connect_timeout.count()), error)) {
        attempt.failure.kind = attempt.state.timed_out ? Failure::Kind::network_timeout : Failure::Kind::network;
        attempt.failure.message = std::string("SSL handshake failed: ") + error->message;
        mongoc_stream_destroy(tls);
        return nullptr;
    }
    return tls;
#else
    (void)uri, (void)host;
    mongoc_stream_destroy(base);
    attempt.failure.kind = Failure::Kind::configuration;
    attempt.failure.message = "this build of libmongoc has no TLS";
    bson_set_error(error, MONGOC_ERROR_STREAM, MONGOC_ERROR_STREAM_SOCKET, "%s", attempt.failure.message.c_str());
    return nullptr;
#endif
}

mongoc_stream_t* initiate(const mongoc_uri_t* uri, const mongoc_host_list_t* host, void* user_data, bson_error_t* error) {
    Attempt& attempt = *static_cast<Attempt*>(user_data);
    attempt.state = {};
    attempt.state.cancelled = &attempt.cancelled;
    attempt.failure = {};
    const int descriptor =
        open_socket(parse_endpoint(attempt.address), attempt.connect_deadline, attempt.cancelled, attempt.failure);
    if (descriptor < 0) {
        bson_set_error(error, MONGOC_ERROR_STREAM, MONGOC_ERROR_STREAM_CONNECT, "%s", attempt.failure.message.c_str());
        return nullptr;
    }
    mongoc_stream_t* stream = make_socket_stream(descriptor, &attempt.state);
    if (!stream) {
        ::close(descriptor);
        attempt.failure.kind = Failure::Kind::out_of_memory;
        return nullptr;
    }
    attempt.tls = nullptr;
    if (mongoc_uri_get_tls(uri)) {
        mongoc_stream_t* tls = start_tls(uri, host->host, stream, attempt, error);
        if (!tls) return nullptr;
        stream = make_outer_stream(tls);
        if (!stream) {
            mongoc_stream_destroy(tls);
            attempt.failure.kind = Failure::Kind::out_of_memory;
            return nullptr;
        }
        attempt.tls = tls;
    }
    attempt.descriptor = descriptor;
    attempt.outer = stream;
    return stream;
}

// What to tell the caller when libmongoc has given up.
void explain(const Attempt& attempt, const bson_error_t& error, Failure& failure) {
    if (attempt.failure) {
        failure = attempt.failure;
    } else if (attempt.cancelled.load(std::memory_order_relaxed)) {
        failure.kind = Failure::Kind::closed;
        failure.message = "client is closed";
    } else if (error.domain == MONGOC_ERROR_CLIENT && error.code == MONGOC_ERROR_CLIENT_AUTHENTICATE &&
               !attempt.state.timed_out && attempt.state.error == 0 && !attempt.state.ended) {
        failure.kind = Failure::Kind::authentication;
        failure.code = 18;
        failure.message = error.message;
    } else if (attempt.state.timed_out) {
        failure.kind = Failure::Kind::network_timeout;
        failure.code = ETIMEDOUT;
        failure.message = "timed out";
    } else if (attempt.state.error != 0) {
        failure.kind = Failure::Kind::network;
        failure.code = attempt.state.error;
        failure.message = std::generic_category().message(attempt.state.error);
    } else if (attempt.state.ended) {
        failure.kind = Failure::Kind::network;
        failure.message = "connection closed";
    } else if (error.domain == MONGOC_ERROR_PROTOCOL && error.code == MONGOC_ERROR_PROTOCOL_BAD_WIRE_VERSION) {
        failure.kind = Failure::Kind::configuration;
        failure.message = error.message;
    } else {
        failure.kind = Failure::Kind::network;
        failure.message = error.message;
    }
    failure.address = attempt.address;
}

}  // namespace

Connector::~Connector() {
    if (uri_) mongoc_uri_destroy(uri_);
}

void Connector::set_uri(const _mongoc_uri_t* uri) noexcept {
    mongoc_uri_t* copy = mongoc_uri_copy(uri);
    std::lock_guard guard(mutex_);
    if (uri_) mongoc_uri_destroy(uri_);
    uri_ = copy;
}

bool Connector::ready() const noexcept {
    std::lock_guard guard(mutex_);
    return uri_ != nullptr;
}

bool Connector::connect(const std::string& address, const std::atomic<bool>& cancelled, Connected& result,
                        Failure& failure) noexcept {
    try {
        Uri uri;
        {
            std::lock_guard guard(mutex_);
            if (uri_) uri = direct_uri(uri_, address);
        }
        if (!uri) {
            failure.kind = Failure::Kind::configuration;
            failure.message = "no usable URI for " + address;
            failure.address = address;
            return false;
        }
        Attempt attempt{address, cancelled};
        attempt.connect_timeout =
            std::chrono::milliseconds(mongoc_uri_get_option_as_int32(uri.get(), MONGOC_URI_SOCKETTIMEOUTMS, 10000));
        attempt.connect_deadline = Clock::now() + attempt.connect_timeout;
        SingleClient client(mongoc_client_new_from_uri(uri.get()));
        if (!client) {
            failure.kind = Failure::Kind::configuration;
            failure.message = "libmongoc refuses the URI";
            failure.address = address;
            return false;
        }
        mongoc_client_set_error_api(client.get(), 2);
        mongoc_client_set_stream_initiator(client.get(), initiate, &attempt);
        bson_error_t error{};
        // Choosing the only server says hello; the description afterwards is of an authenticated connection.
        const Description chosen(mongoc_client_select_server(client.get(), false, nullptr, &error));
        const Description shaken(chosen ? mongoc_client_get_handshake_description(
                                              client.get(), mongoc_server_description_id(chosen.get()), nullptr, &error)
                                        : nullptr);
        if (!shaken) {
            explain(attempt, error, failure);
            return false;
        }
        const bson_t* hello = mongoc_server_description_hello_response(shaken.get());
        const std::uint8_t* data = bson_get_data(hello);
        result.facts = facts_of_hello(address, data, hello->len);
        result.hello.clear();
        if (!result.hello.append(data, hello->len)) throw std::bad_alloc();
        result.round_trip_microseconds = mongoc_server_description_round_trip_time(chosen.get()) * 1000;
        std::unique_ptr<StreamState> state = attempt.tls ? std::make_unique<StreamState>() : nullptr;
        // From here on the bytes are ours; the client dies without closing anything.
        release_stream(attempt.outer);
        if (attempt.tls) set_stream_state(mongoc_stream_get_base_stream(attempt.tls), state.get());
        result.channel = Channel(attempt.descriptor, attempt.tls, std::move(state));
        result.channel.set_slices();
        return true;
    } catch (const std::bad_alloc&) {
        failure.kind = Failure::Kind::out_of_memory;
        return false;
    }
}

}  // namespace barewire::net::mongo
