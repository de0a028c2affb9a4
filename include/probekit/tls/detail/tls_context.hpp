// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <asio/detail/throw_exception.hpp>
#include <asio/ip/address.hpp>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <probekit/config.hpp>
#include <probekit/core/actions.hpp>
#include <probekit/core/detail/message.hpp>
#include <probekit/core/error.hpp>
#include <probekit/core/go_text.hpp>
#include <probekit/tls/options.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

template <auto Free>
struct FreeBy {
    template <class T>
    void operator()(T* object) const noexcept {
        Free(object);
    }
};
using SslContext = std::unique_ptr<SSL_CTX, FreeBy<SSL_CTX_free>>;

/// The first error of a failed call of OpenSSL. Empties OpenSSL's error queue.
[[nodiscard]] inline std::string take_ssl_reason() {
    const unsigned long first = ERR_peek_error();
    ERR_clear_error();
    if (ERR_SYSTEM_ERROR(first))
        return go_error_text({ERR_GET_REASON(first), std::system_category()});
    const char* const text = ERR_reason_error_string(first);
    return text != nullptr ? text : "not usable";
}

/// Whether a name is compared as an address; then it is not sent in the handshake, either.
[[nodiscard]] inline bool is_address(const std::string& name) {
    std::error_code no_address;
    static_cast<void>(asio::ip::make_address(name, no_address));
    return !no_address;
}

inline void load_certificate(SSL_CTX* context, const tls::Options& options, ConfigErrors& errors) {
    const std::string& certificate = options.certificate_file;
    const std::string& key =
        options.private_key_file.empty() ? certificate : options.private_key_file;
    if (certificate.empty()) {
        if (!key.empty()) errors.push_back({"private_key_file", "needs certificate_file"});
    } else if (SSL_CTX_use_certificate_chain_file(context, certificate.c_str()) != 1) {
        errors.push_back({"certificate_file", take_ssl_reason()});
    } else if (SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) != 1) {
        errors.push_back({"private_key_file", take_ssl_reason()});
    }
}

inline void load_authorities(SSL_CTX* context, const tls::Options& options, ConfigErrors& errors) {
    if (options.verify == tls::Verify::none) {
        if (!options.ca_file.empty())
            errors.push_back({"ca_file", "has no use unless verify is set"});
        return;
    }
    if (options.ca_file.empty()) {
        if (SSL_CTX_set_default_verify_paths(context) != 1)
            errors.push_back({"verify", take_ssl_reason()});
    } else if (SSL_CTX_load_verify_file(context, options.ca_file.c_str()) != 1) {
        errors.push_back({"ca_file", take_ssl_reason()});
    }
}

/// The context that the handshakes of a probe share. `name`: the peer's name that is verified. Adds
/// to `errors` what is wrong with the options. Throws std::bad_alloc.
[[nodiscard]] inline SslContext make_ssl_context(const tls::Options& options,
                                                 const std::string& name, ConfigErrors& errors) {
    ERR_clear_error();
    SslContext made{SSL_CTX_new(TLS_client_method())};
    SSL_CTX* const context = made.get();
    if (context == nullptr) asio::detail::throw_exception(std::bad_alloc{});

    load_authorities(context, options, errors);
    if (has_nul(options.server_name)) errors.push_back({"server_name", "must not contain NUL"});
    // OpenSSL would take the names of all hosts below it.
    if (options.server_name.starts_with('.'))
        errors.push_back({"server_name", "must not begin with a dot"});
    // Without this OpenSSL asks for a passphrase on the terminal.
    SSL_CTX_set_default_passwd_cb(context, [](char*, int, int, void*) { return -1; });
    load_certificate(context, options, errors);
    if (options.warn_before_expiry < Duration{})
        errors.push_back({"warn_before_expiry", "must not be negative"});

    if (options.verify == tls::Verify::none) { // the kubelet accepts short keys and old servers
        SSL_CTX_set_security_level(context, 1);
        SSL_CTX_set_options(context, SSL_OP_LEGACY_SERVER_CONNECT);
    }
    SSL_CTX_set_verify(
        context, options.verify == tls::Verify::none ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, nullptr);
    bool ok = true;
    if (options.verify == tls::Verify::full) {
        X509_VERIFY_PARAM* const rules = SSL_CTX_get0_param(context);
        // As Go: only subjectAltName counts, and a '*' stands for a whole label.
        X509_VERIFY_PARAM_set_hostflags(rules, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
                                                   X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
        ok = is_address(name) ? X509_VERIFY_PARAM_set1_ip_asc(rules, name.c_str()) == 1
                              : X509_VERIFY_PARAM_set1_host(rules, name.c_str(), name.size()) == 1;
    }
    static constexpr unsigned char http_1_1[] = "\x08http/1.1";
    ok = ok && SSL_CTX_set_alpn_protos(context, http_1_1, sizeof http_1_1 - 1) == 0;
    const bool only_newest = options.min_version == tls::Version::tls_1_3;
    ok = ok &&
         SSL_CTX_set_min_proto_version(context, only_newest ? TLS1_3_VERSION : TLS1_2_VERSION) == 1;
    if (!ok) asio::detail::throw_exception(std::bad_alloc{});
    // Each attempt is a full handshake. No buffers of 16 KiB are kept while waiting.
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_TICKET);
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    return made;
}

} // namespace probekit::inline PROBEKIT_ABI::detail
