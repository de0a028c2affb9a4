// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/tls/detail/tls_text.hpp>

#include <string>
#include <string_view>
#include <system_error>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <probekit/tls/detail/record_tracker.hpp>
#include <probekit/tls/error.hpp>

using namespace probekit;

TEST_CASE("alerts have Go's names, unknown ones their number") {
    CHECK(detail::alert_text(48) == "tls: unknown certificate authority");
    CHECK(detail::alert_text(200) == "tls: alert(200)");
    for (int alert = 0; alert != 256; ++alert)
        CHECK(detail::alert_text(alert).starts_with("tls: "));
}

TEST_CASE("each fault of a certificate has a cause and a text") {
    const auto [code, cause, text] = GENERATE(table<long, tls::Errc, std::string>({
        {X509_V_ERR_CERT_HAS_EXPIRED, tls::Errc::certificate_expired, "certificate has expired"},
        {X509_V_ERR_CERT_NOT_YET_VALID, tls::Errc::certificate_not_yet,
         "certificate is not yet valid"},
        {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT, tls::Errc::unknown_authority,
         "certificate signed by unknown authority"},
        {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN, tls::Errc::unknown_authority,
         "certificate signed by unknown authority"},
        {X509_V_ERR_HOSTNAME_MISMATCH, tls::Errc::wrong_name,
         "certificate is not valid for a.example"},
        {X509_V_ERR_IP_ADDRESS_MISMATCH, tls::Errc::wrong_name,
         "certificate is not valid for a.example"},
        {X509_V_ERR_INVALID_PURPOSE, tls::Errc::certificate_rejected,
         "unsuitable certificate purpose"},
    }));
    CHECK(detail::verify_cause(code) == cause);
    CHECK(detail::verify_text(code, "a.example") ==
          "tls: failed to verify certificate: x509: " + text);
}

TEST_CASE("each cause has a text of its own") {
    for (int value = 1; value != 12; ++value) {
        const std::error_code code{value, tls::tls_category()};
        CHECK(code.message() != "unknown TLS error");
        CHECK(code == static_cast<tls::Errc>(value));
    }
    CHECK(std::error_code{12, tls::tls_category()}.message() == "unknown TLS error");
    CHECK(std::string_view{tls::tls_category().name()} == "probekit.tls");
}

TEST_CASE("records are tracked in pieces of any size") {
    using std::string_literals::operator""s;
    const std::string records = "\x16\x03\x03\x00\x03"s + "abc" + "\x17\x03\x03\x00\x00"s +
                                "\x17\x03\x03\x01\x00"s + std::string(256, 'x');
    const std::size_t piece = GENERATE(1u, 2u, 5u, 7u, 1000u);
    detail::RecordTracker tracker;
    CHECK(tracker.between_records());
    for (std::size_t at = 0; at < records.size(); at += piece) {
        tracker.consume(std::string_view{records}.substr(at, piece));
        const std::size_t seen = std::min(at + piece, records.size());
        CHECK(tracker.between_records() == (seen == 8 || seen == 13 || seen == records.size()));
    }
    CHECK_FALSE(tracker.is_no_tls());
    CHECK_FALSE(tracker.is_http());
}

TEST_CASE("the first five bytes show a peer that does not speak TLS") {
    using std::string_literals::operator""s;
    struct Row {
        std::string bytes;
        bool is_no_tls;
        bool is_http;
    };
    const Row row = GENERATE(values<Row>({
        {"HTTP/1.1 400", true, true},
        {"HTTP", false, false}, // not yet
        {"http/1.1", true, false},
        {"\x15\x03\x01\x00\x02\x02\x28"s, false, false},
        {"\x16\x0f\xff\x00\x02\x02\x28"s, false, false},
        {"\x16\x10\x00\x00\x02\x02\x28"s, true, false},
        {"\x16\xff\x00\x00\x02\x02\x28"s, true, false},
        {"\x17\x03\x03\x00\x02\x02\x28"s, true, false},
    }));
    detail::RecordTracker tracker;
    tracker.consume(row.bytes);
    CHECK(tracker.is_no_tls() == row.is_no_tls);
    CHECK(tracker.is_http() == row.is_http);
}
