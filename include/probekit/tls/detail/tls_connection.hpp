// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <sys/socket.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include <probekit/config.hpp>
#include <probekit/core/actions.hpp>
#include <probekit/core/duration.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/result.hpp>
#include <probekit/probes/detail/connection.hpp>
#include <probekit/probes/detail/http_target.hpp>
#include <probekit/tls/detail/record_tracker.hpp>
#include <probekit/tls/detail/tls_context.hpp>
#include <probekit/tls/detail/tls_text.hpp>
#include <probekit/tls/error.hpp>
#include <probekit/tls/options.hpp>
#include <probekit/tls/peer_certificate.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

using SocketMethod = std::unique_ptr<BIO_METHOD, FreeBy<BIO_meth_free>>;

/// The settings of an HttpsGetProbe, shared with its attempts and results.
class HttpsTarget final : public HttpTargetBase {
public:
    HttpsTarget(HttpGetAction what, const HttpOptions& http, const tls::Options& options,
                std::string peer_name, SslContext ssl_context, SocketMethod method)
        : HttpTargetBase(std::move(what), with_redirects(http, options), true),
          context(std::move(ssl_context)),
          socket_method(std::move(method)),
          name(std::move(peer_name)),
          is_name_sent(!is_address(name)),
          warn_before_expiry(options.warn_before_expiry) {}

    SslContext context;
    SocketMethod socket_method;
    std::string name;  // the peer's
    bool is_name_sent; // in the handshake
    Duration warn_before_expiry;
    mutable std::atomic<std::int64_t> expires = tls::PeerCertificate::never_seen;

private:
    [[nodiscard]] static HttpOptions with_redirects(HttpOptions http, const tls::Options& options) {
        if (options.verify != tls::Verify::none && http.redirects == Redirects::same_host)
            http.redirects = Redirects::no_downgrade;
        return http;
    }
};

[[nodiscard]] inline std::int64_t expiry_of(const X509* certificate) noexcept {
    std::tm end{};
    if (certificate == nullptr || ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &end) != 1)
        return tls::PeerCertificate::never_seen;
    const std::chrono::year_month_day date{
        std::chrono::year{end.tm_year + 1900},
        std::chrono::month{static_cast<unsigned>(end.tm_mon + 1)},
        std::chrono::day{static_cast<unsigned>(end.tm_mday)}};
    const tls::PeerCertificate::Time moment =
        std::chrono::sys_days{date} + std::chrono::hours{end.tm_hour} +
        std::chrono::minutes{end.tm_min} + std::chrono::seconds{end.tm_sec};
    return moment.time_since_epoch().count();
}

/// TLS over a socket, once handshake() has been called; plain HTTP before. OpenSSL reads and writes
/// the socket through functions of this class: its own would raise SIGPIPE in the program.
class TlsConnection {
public:
    static constexpr bool has_tls = true;

    TlsConnection() = default;
    TlsConnection(const TlsConnection&) = delete;
    TlsConnection& operator=(const TlsConnection&) = delete;

    [[nodiscard]] IoResult handshake(const HttpsTarget& target, int socket) noexcept {
        if (!ssl_ && !open(target, socket)) return out_of_memory();
        prepare_call();
        const int result = SSL_do_handshake(ssl_.get());
        if (result != 1) return interpret(result);
        is_secured_ = true;
        return {};
    }

    [[nodiscard]] IoResult send(int socket, std::string_view bytes) noexcept {
        if (!ssl_) return PlainConnection::send(socket, bytes);
        prepare_call();
        std::size_t sent = 0;
        const int result = SSL_write_ex(ssl_.get(), bytes.data(), bytes.size(), &sent);
        return result == 1 ? IoResult{IoResult::State::transferred, sent} : interpret(result);
    }

    [[nodiscard]] IoResult receive(int socket, std::span<char> room) noexcept {
        if (!ssl_) return PlainConnection::receive(socket, room);
        prepare_call();
        std::size_t got = 0;
        const int result = SSL_read_ex(ssl_.get(), room.data(), room.size(), &got);
        return result == 1 ? IoResult{IoResult::State::transferred, got} : interpret(result);
    }

    [[nodiscard]] std::error_code cause() const noexcept {
        return has_no_memory_ ? std::make_error_code(std::errc::not_enough_memory)
                              : make_error_code(cause_);
    }

    [[nodiscard]] std::string why() const {
        switch (cause_) {
        case tls::Errc::plain_http: return "http: server gave HTTP response to HTTPS client";
        case tls::Errc::not_tls: return "tls: first record does not look like a TLS handshake";
        case tls::Errc::closed: return records_.between_records() ? "EOF" : "unexpected EOF";
        case tls::Errc::certificate_expired:
        case tls::Errc::certificate_not_yet:
        case tls::Errc::unknown_authority:
        case tls::Errc::wrong_name:
        case tls::Errc::certificate_rejected:
            return verify_text(SSL_get_verify_result(ssl_.get()), target_->name);
        case tls::Errc::alert:
        case tls::Errc::protocol_version:
        case tls::Errc::protocol_error:
            return is_alert(reason_) ? "remote error: " + alert_text(alert_of(reason_))
                                     : ssl_text(reason_);
        }
        unreachable();
    }

    /// Sends close_notify, if that can be done at once.
    void close() noexcept {
        if (is_secured_ && !has_failed_) {
            prepare_call();
            static_cast<void>(SSL_shutdown(ssl_.get()));
            ERR_clear_error();
        }
        ssl_.reset();
        records_ = {};
        is_secured_ = has_failed_ = has_ended_ = false;
    }

    /// Turns a success into a warning if the certificate is about to expire. Throws std::bad_alloc.
    void review(ProbeResult& result) const {
        if (!is_secured_ || result.outcome != Outcome::success ||
            target_->warn_before_expiry == Duration{})
            return;
        if (expires_ == tls::PeerCertificate::never_seen) return;
        using std::chrono::seconds;
        const tls::PeerCertificate::Time end{seconds{expires_}};
        const seconds left = time_left(end, std::chrono::system_clock::now());
        if (left >= std::chrono::ceil<seconds>(target_->warn_before_expiry)) return;
        const auto days = std::chrono::floor<std::chrono::days>(left).count();
        result.outcome = Outcome::warning;
        result.detail = "certificate of " + target_->name +
                        (left < seconds{} ? " has expired"
                                          : " expires in " + std::to_string(days) +
                                                (days == 1 ? " day" : " days"));
    }

    /// Sets what a context needs for such connections.
    static void prepare_context(SSL_CTX* context) noexcept {
        SSL_CTX_set_cert_verify_callback(context, verify, nullptr);
    }
    [[nodiscard]] static SocketMethod make_method() noexcept {
        SocketMethod method{BIO_meth_new(BIO_TYPE_SOURCE_SINK, "probekit socket")};
        if (!method) return method;
        BIO_meth_set_write(method.get(), write_socket);
        BIO_meth_set_read(method.get(), read_socket);
        BIO_meth_set_ctrl(method.get(), [](BIO*, int command, long, void*) -> long {
            return command == BIO_CTRL_FLUSH || command == BIO_CTRL_DUP ? 1 : 0;
        });
        return method;
    }

private:
    using Ssl = std::unique_ptr<SSL, FreeBy<SSL_free>>;

    bool open(const HttpsTarget& target, int socket) noexcept {
        ERR_clear_error();
        target_ = &target;
        socket_ = socket;
        Ssl ssl{SSL_new(target.context.get())};
        BIO* const bio = ssl ? BIO_new(target.socket_method.get()) : nullptr;
        if (bio == nullptr) return false;
        BIO_set_data(bio, this);
        BIO_set_init(bio, 1);
        SSL_set_bio(ssl.get(), bio, bio);
        if (SSL_set_app_data(ssl.get(), this) != 1) return false;
        SSL_set_connect_state(ssl.get());
        if (target.is_name_sent &&
            SSL_ctrl(ssl.get(), SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
                     const_cast<char*>(target.name.c_str())) != 1)
            return false;
        ssl_ = std::move(ssl);
        return true;
    }

    // OpenSSL's error queue belongs to the thread: what other code left there must not be taken for
    // this connection's.
    void prepare_call() noexcept {
        ERR_clear_error();
        socket_error_ = 0;
        has_no_memory_ = false;
    }

    static int write_socket(BIO* bio, const char* bytes, int size) noexcept {
        auto& self = *static_cast<TlsConnection*>(BIO_get_data(bio));
        BIO_clear_retry_flags(bio);
        const IoResult io =
            PlainConnection::send(self.socket_, {bytes, static_cast<std::size_t>(size)});
        if (io.state == IoResult::State::transferred) return static_cast<int>(io.bytes);
        if (io.state == IoResult::State::wants_write) BIO_set_retry_write(bio);
        self.socket_error_ = io.error;
        return -1;
    }

    static int read_socket(BIO* bio, char* bytes, int size) noexcept {
        auto& self = *static_cast<TlsConnection*>(BIO_get_data(bio));
        BIO_clear_retry_flags(bio);
        const IoResult io =
            PlainConnection::receive(self.socket_, {bytes, static_cast<std::size_t>(size)});
        if (io.state == IoResult::State::transferred) {
            self.records_.consume({bytes, io.bytes});
            return static_cast<int>(io.bytes);
        }
        if (io.state == IoResult::State::wants_read) BIO_set_retry_read(bio);
        self.has_ended_ = io.state == IoResult::State::ended;
        self.socket_error_ = io.error;
        return self.has_ended_ ? 0 : -1;
    }

    // Called by OpenSSL with the peer's certificate, also with one that is about to be refused.
    static int verify(X509_STORE_CTX* chain, void*) noexcept {
        auto* const ssl = static_cast<SSL*>(
            X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx()));
        auto& self = *static_cast<TlsConnection*>(SSL_get_app_data(ssl));
        self.expires_ = expiry_of(X509_STORE_CTX_get0_cert(chain));
        self.target_->expires.store(self.expires_, std::memory_order_relaxed);
        return SSL_get_verify_mode(ssl) == SSL_VERIFY_NONE ? 1 : X509_verify_cert(chain);
    }

    // What a failed call of OpenSSL means.
    [[nodiscard]] IoResult interpret(int result) noexcept {
        switch (SSL_get_error(ssl_.get(), result)) {
        case SSL_ERROR_WANT_READ: return {IoResult::State::wants_read};
        case SSL_ERROR_WANT_WRITE: return {IoResult::State::wants_write};
        case SSL_ERROR_ZERO_RETURN: // close_notify
            if (is_secured_) return {IoResult::State::ended};
            has_failed_ = true;
            return failed(tls::Errc::closed);
        default: break;
        }
        has_failed_ = true;
        // An error within OpenSSL itself, nearly always lack of memory, which it seldom reports as
        // such.
        bool is_internal = false;
        reason_ = 0;
        while (const unsigned long code = ERR_get_error()) {
            if (reason_ == 0) reason_ = code;
            is_internal = is_internal || ERR_FATAL_ERROR(code);
        }
        if (is_internal) return out_of_memory();
        if (socket_error_ != 0) return {IoResult::State::broken, 0, socket_error_};
        if (records_.is_no_tls())
            return failed(records_.is_http() ? tls::Errc::plain_http : tls::Errc::not_tls);
        if (has_ended_) {
            // As in Go, an end between two records is the end, with close_notify or without.
            if (is_secured_ && records_.between_records()) return {IoResult::State::ended};
            return failed(tls::Errc::closed);
        }
        if (reason_ == 0) return out_of_memory(); // none even for an entry in the error queue
        return failed(cause_of_reason());
    }

    [[nodiscard]] tls::Errc cause_of_reason() const noexcept {
        if (ERR_GET_LIB(reason_) != ERR_LIB_SSL) return tls::Errc::protocol_error;
        switch (ERR_GET_REASON(reason_)) {
        case SSL_R_CERTIFICATE_VERIFY_FAILED:
            return verify_cause(SSL_get_verify_result(ssl_.get()));
        case SSL_R_TLSV1_ALERT_PROTOCOL_VERSION:
        case SSL_R_UNSUPPORTED_PROTOCOL:
        case SSL_R_WRONG_SSL_VERSION: return tls::Errc::protocol_version;
        default: break;
        }
        if (!is_alert(reason_)) return tls::Errc::protocol_error;
        return alert_of(reason_) == SSL_AD_CLOSE_NOTIFY ? tls::Errc::closed : tls::Errc::alert;
    }

    [[nodiscard]] static bool is_alert(unsigned long reason) noexcept {
        return ERR_GET_LIB(reason) == ERR_LIB_SSL && alert_of(reason) >= 0 &&
               alert_of(reason) <= 255;
    }
    [[nodiscard]] static int alert_of(unsigned long reason) noexcept {
        return ERR_GET_REASON(reason) - SSL_AD_REASON_OFFSET;
    }

    [[nodiscard]] IoResult failed(tls::Errc cause) noexcept {
        cause_ = cause;
        return {IoResult::State::failed};
    }
    [[nodiscard]] IoResult out_of_memory() noexcept {
        ERR_clear_error();
        cause_ = tls::Errc::protocol_error;
        reason_ = ERR_PACK(ERR_LIB_SSL, 0, ERR_R_MALLOC_FAILURE);
        has_no_memory_ = true;
        return {IoResult::State::failed};
    }

    const HttpsTarget* target_ = nullptr;
    Ssl ssl_;
    RecordTracker records_;
    // When the peer's certificate expires, in seconds since 1970.
    std::int64_t expires_ = tls::PeerCertificate::never_seen;
    unsigned long reason_ = 0; // a code of OpenSSL's
    tls::Errc cause_ = tls::Errc::protocol_error;
    int socket_ = -1;
    int socket_error_ = 0; // an errno, of the last call
    bool has_ended_ = false;
    bool has_failed_ = false;
    bool has_no_memory_ = false;
    bool is_secured_ = false;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
