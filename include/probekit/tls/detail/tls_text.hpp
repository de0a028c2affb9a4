// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <string>
#include <string_view>

#include <openssl/err.h>
#include <openssl/sslerr.h>
#include <openssl/x509_vfy.h>

#include <probekit/config.hpp>
#include <probekit/tls/error.hpp>

// The errors of TLS in the words of Go's crypto/tls.
namespace probekit::inline PROBEKIT_ABI::detail {

[[nodiscard]] inline std::string alert_text(int alert) {
    switch (alert) {
    case 0: return "tls: close notify";
    case 10: return "tls: unexpected message";
    case 20: return "tls: bad record MAC";
    case 21: return "tls: decryption failed";
    case 22: return "tls: record overflow";
    case 30: return "tls: decompression failure";
    case 40: return "tls: handshake failure";
    case 42: return "tls: bad certificate";
    case 43: return "tls: unsupported certificate";
    case 44: return "tls: revoked certificate";
    case 45: return "tls: expired certificate";
    case 46: return "tls: unknown certificate";
    case 47: return "tls: illegal parameter";
    case 48: return "tls: unknown certificate authority";
    case 49: return "tls: access denied";
    case 50: return "tls: error decoding message";
    case 51: return "tls: error decrypting message";
    case 60: return "tls: export restriction";
    case 70: return "tls: protocol version not supported";
    case 71: return "tls: insufficient security level";
    case 80: return "tls: internal error";
    case 86: return "tls: inappropriate fallback";
    case 90: return "tls: user canceled";
    case 100: return "tls: no renegotiation";
    case 109: return "tls: missing extension";
    case 110: return "tls: unsupported extension";
    case 111: return "tls: certificate unobtainable";
    case 112: return "tls: unrecognized name";
    case 113: return "tls: bad certificate status response";
    case 114: return "tls: bad certificate hash value";
    case 115: return "tls: unknown PSK identity";
    case 116: return "tls: certificate required";
    case 120: return "tls: no application protocol";
    case 121: return "tls: encrypted client hello required";
    default: return "tls: alert(" + std::to_string(alert) + ")";
    }
}

/// The cause that OpenSSL's code X509_V_ERR_... stands for.
[[nodiscard]] inline tls::Errc verify_cause(long code) noexcept {
    switch (code) {
    case X509_V_ERR_CERT_HAS_EXPIRED: return tls::Errc::certificate_expired;
    case X509_V_ERR_CERT_NOT_YET_VALID: return tls::Errc::certificate_not_yet;
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
    case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
    case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
    case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
    case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
    case X509_V_ERR_CERT_UNTRUSTED: return tls::Errc::unknown_authority;
    case X509_V_ERR_HOSTNAME_MISMATCH:
    case X509_V_ERR_IP_ADDRESS_MISMATCH: return tls::Errc::wrong_name;
    default: return tls::Errc::certificate_rejected;
    }
}

/// `name`: the name that was verified.
[[nodiscard]] inline std::string verify_text(long code, std::string_view name) {
    std::string text{"tls: failed to verify certificate: x509: "};
    switch (verify_cause(code)) {
    case tls::Errc::unknown_authority: return text + "certificate signed by unknown authority";
    case tls::Errc::wrong_name: return text.append("certificate is not valid for ").append(name);
    default: return text + X509_verify_cert_error_string(code);
    }
}

[[nodiscard]] inline std::string ssl_text(unsigned long code) {
    // Go answers these errors with an alert, and names them by it.
    if (ERR_GET_LIB(code) == ERR_LIB_SSL) {
        switch (ERR_GET_REASON(code)) {
        case SSL_R_LENGTH_MISMATCH:
        case SSL_R_LENGTH_TOO_SHORT: return "local error: " + alert_text(50);
        case SSL_R_INVALID_ALERT:
        case SSL_R_UNEXPECTED_MESSAGE:
        case SSL_R_UNKNOWN_ALERT_TYPE: return "local error: " + alert_text(10);
        default: break;
        }
    }
    const char* const reason = ERR_reason_error_string(code);
    return std::string{"tls: "} + (reason != nullptr ? reason : "protocol error");
}

} // namespace probekit::inline PROBEKIT_ABI::detail
