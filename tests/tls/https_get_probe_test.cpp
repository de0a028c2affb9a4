// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/tls/https_get_probe.hpp>

#include <chrono>
#include <cstddef>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <asio/bind_cancellation_slot.hpp>
#include <asio/cancellation_signal.hpp>
#include <asio/error.hpp>
#include <asio/io_context.hpp>
#include <asio/strand.hpp>
#include <asio/thread_pool.hpp>
#include <asio/use_future.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <probekit/probes/probe.hpp>
#include <probekit/runtime/probe_worker.hpp>
#include <probekit/version.hpp>

#include "../faults/network.hpp"
#include "../probes/probe_once.hpp"
#include "../tools/loopback.hpp"
#include "tls_server.hpp"

using namespace probekit;
using namespace std::chrono_literals;
using tls::HttpsGetProbe;

static_assert(Probe<HttpsGetProbe>);
static_assert(sizeof(HttpsGetProbe) == sizeof(HttpGetProbe));

namespace {

const Certificates& certificates() {
    static const Certificates made;
    return made;
}

/// For 127.0.0.1 and localhost, not expired.
const Certificates::Pair& good() {
    static const Certificates::Pair made =
        certificates().make("good", "IP:127.0.0.1,DNS:localhost", 30);
    return made;
}

const Certificates::Pair& expired() {
    static const Certificates::Pair made =
        certificates().make("expired", "IP:127.0.0.1,DNS:localhost", -1);
    return made;
}

/// Valid beyond the year 2262, where a clock of nanoseconds ends.
const Certificates::Pair& endless() {
    static const Certificates::Pair made =
        certificates().make("endless", "IP:127.0.0.1", 2'000'000);
    return made;
}

const Certificates::Pair& elsewhere() {
    static const Certificates::Pair made =
        certificates().make("elsewhere", "DNS:other.example,IP:192.0.2.1", 30);
    return made;
}

std::string response(int status, const std::string& body, const std::string& more = {}) {
    return "HTTP/1.1 " + std::to_string(status) +
           " Any\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" + more + "\r\n" + body;
}

HttpGetAction to(std::uint16_t port, const std::string& host = {}) {
    return {.host = host, .port = port, .path = "/healthz", .scheme = HttpScheme::https};
}

} // namespace

TEST_CASE("any certificate is accepted by default, as by the kubelet") {
    asio::io_context io;
    const Certificates::Pair pair = GENERATE(0, 1, 2) == 0  ? good()
                                    : GENERATE(false, true) ? expired()
                                                            : elsewhere();
    TlsServer server{io, pair, response(200, "fine")};
    HttpsGetProbe probe{io, to(server.port()), {}, {.keep_output = true}};
    const auto [error, result] = probe_once(io, probe);
    CHECK_FALSE(error);
    CHECK(result.outcome == Outcome::success);
    CHECK(result.phase == Phase::finish);
    CHECK(result.status == 200);
    CHECK(result.message() == "fine");
    CHECK(result.time_in(Phase::handshake) > 0ns);
    CHECK(server.request ==
          "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(server.port()) +
              "\r\nUser-Agent: probekit/" PROBEKIT_VERSION
              "\r\nAccept: */*\r\nConnection: close\r\n\r\n");
    CHECK(server.protocols == "\x08http/1.1");
    CHECK(server.name == ""); // an address is not sent
    server.stop();
    io.run();
    CHECK_FALSE(server.ending); // it received close_notify, and no reset
}

TEST_CASE("short keys are accepted, as by the kubelet") {
    asio::io_context io;
    const auto pair = certificates().make("short", "DNS:short.example", 30, "rsa:1024");
    TlsServer server{io, good(), response(200, "")};
    SSL_CTX_set_security_level(server.context.native_handle(), 0);
    server.context.use_certificate_chain_file(pair.certificate);
    server.context.use_private_key_file(pair.key, asio::ssl::context::pem);
    HttpsGetProbe probe{io, to(server.port())};
    const ProbeResult result = probe_once(io, probe).result;
    INFO(result.message());
    CHECK(result.passed());
}

TEST_CASE("verification refuses each bad certificate in words of its own") {
    struct Row {
        const Certificates::Pair& pair;
        tls::Verify verify;
        bool is_our_authority;
        std::string server_name;
        tls::Errc cause; // 0: success
        std::string words;
    };
    const std::string prefix = "tls: failed to verify certificate: x509: ";
    const Row rows[] = {
        {good(), tls::Verify::full, true, "", {}, ""},
        {good(), tls::Verify::full, true, "localhost", {}, ""},
        {good(), tls::Verify::full, true, "localhost.", {}, ""},
        {good(), tls::Verify::chain, true, "any.example", {}, ""},
        {elsewhere(), tls::Verify::chain, true, "", {}, ""},
        {elsewhere(), tls::Verify::full, true, "other.example", {}, ""},
        {elsewhere(), tls::Verify::full, true, "", tls::Errc::wrong_name,
         "certificate is not valid for 127.0.0.1"},
        {good(), tls::Verify::full, true, "x.example", tls::Errc::wrong_name,
         "certificate is not valid for x.example"},
        {good(), tls::Verify::full, false, "", tls::Errc::unknown_authority,
         "certificate signed by unknown authority"},
        {good(), tls::Verify::chain, false, "", tls::Errc::unknown_authority,
         "certificate signed by unknown authority"},
        {expired(), tls::Verify::full, true, "", tls::Errc::certificate_expired,
         "certificate has expired"},
        {expired(), tls::Verify::chain, true, "", tls::Errc::certificate_expired,
         "certificate has expired"},
    };
    for (const Row& row : rows) {
        asio::io_context io;
        TlsServer server{io, row.pair, response(200, "")};
        tls::Options options{.verify = row.verify, .server_name = row.server_name};
        options.ca_file =
            row.is_our_authority ? certificates().authority() : certificates().other_authority();
        HttpsGetProbe probe{io, to(server.port()), options};
        const auto [error, result] = probe_once(io, probe);
        CHECK_FALSE(error);
        INFO(result.message());
        if (row.words.empty()) {
            CHECK(result.outcome == Outcome::success);
            continue;
        }
        CHECK(result.outcome == Outcome::failure);
        CHECK(result.phase == Phase::handshake);
        CHECK(result.cause == row.cause);
        CHECK(result.message() == "Get \"https://127.0.0.1:" + std::to_string(server.port()) +
                                      "/healthz\": " + prefix + row.words);
        CHECK(server.request == "");
        CHECK(ERR_peek_error() == 0); // the error queue is empty again
    }
}

namespace {

/// A certificate that becomes valid tomorrow: the openssl command of older versions cannot make one.
Certificates::Pair not_yet_valid() {
    const Certificates& folder = certificates();
    const Certificates::Pair pair = folder.make("tomorrow", "DNS:a.example");
    const auto file = [](const std::string& name, const char* mode) {
        return std::unique_ptr<BIO, decltype(&BIO_free)>{BIO_new_file(name.c_str(), mode),
                                                         &BIO_free};
    };
    const std::unique_ptr<X509, decltype(&X509_free)> certificate{
        PEM_read_bio_X509(file(pair.certificate, "r").get(), nullptr, nullptr, nullptr),
        &X509_free};
    const std::unique_ptr<EVP_PKEY, decltype(&EVP_PKEY_free)> key{
        PEM_read_bio_PrivateKey(file(folder.path("ca.key"), "r").get(), nullptr, nullptr, nullptr),
        &EVP_PKEY_free};
    REQUIRE((certificate && key));
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), 24L * 60 * 60);
    REQUIRE(X509_sign(certificate.get(), key.get(), EVP_sha256()) != 0);
    REQUIRE(PEM_write_bio_X509(file(pair.certificate, "w").get(), certificate.get()) == 1);
    return pair;
}

} // namespace

// Beside the rules of Go's crypto/x509.
TEST_CASE("full verification takes what Go takes") {
    const Certificates& folder = certificates();
    const std::string is_authority = "basicConstraints=critical,CA:TRUE\n";
    const auto for_names = [](const std::string& names) {
        return "subjectAltName=" + names + "\n";
    };
    const auto unknown = tls::Errc::unknown_authority;
    const auto wrong_name = tls::Errc::wrong_name;
    const auto rejected = tls::Errc::certificate_rejected;
    struct Row {
        std::string what;
        Certificates::Pair pair;
        std::string name;
        tls::Errc cause; // 0: success
    };
    std::vector<Row> rows;
    int made = 0;
    const auto add = [&](const std::string& what, const std::string& extensions,
                         const std::string& name, tls::Errc cause,
                         const std::string& subject = "/CN=x") {
        rows.push_back({what,
                        folder.make_with("go" + std::to_string(++made), extensions, "ca", subject),
                        name, cause});
    };
    add("a name", for_names("DNS:b.example,DNS:a.example"), "a.example", {});
    add("a name in capitals", for_names("DNS:A.Example"), "a.eXample", {});
    add("a name with the root's dot", for_names("DNS:a.example"), "a.example.", {});
    add("another name", for_names("DNS:a.example"), "b.example", wrong_name);
    add("a name below it", for_names("DNS:a.example"), "b.a.example", wrong_name);
    add("the common name only", "", "a.example", wrong_name, "/CN=a.example");
    add("the common name beside others", for_names("DNS:b.example"), "a.example", wrong_name,
        "/CN=a.example");
    add("the common name beside addresses", for_names("IP:192.0.2.1"), "a.example", wrong_name,
        "/CN=a.example");
    add("an address", for_names("IP:192.0.2.1"), "192.0.2.1", {});
    add("another address", for_names("IP:192.0.2.1"), "192.0.2.2", wrong_name);
    add("an IPv6 address", for_names("IP:2001:db8::1"), "2001:db8:0::1", {});
    add("an address as a name", for_names("DNS:192.0.2.1"), "192.0.2.1", wrong_name);
    add("an address as the common name", "", "192.0.2.1", wrong_name, "/CN=192.0.2.1");
    add("a name of one label", for_names("DNS:*.a.example"), "b.a.example", {});
    add("a name of no label", for_names("DNS:*.a.example"), "a.example", wrong_name);
    add("a name of two labels", for_names("DNS:*.a.example"), "c.b.a.example", wrong_name);
    add("a part of a label before the star", for_names("DNS:f*.a.example"), "foo.a.example",
        wrong_name);
    add("a part of a label behind the star", for_names("DNS:*o.a.example"), "foo.a.example",
        wrong_name);
    add("a star that is not the first label", for_names("DNS:b.*.example"), "b.a.example",
        wrong_name);
    add("a name with other letters", for_names("DNS:xn--bcher-kva.example"), "b\u00fccher.example",
        {});
    add("for clients only", for_names("DNS:a.example") + "extendedKeyUsage=clientAuth\n",
        "a.example", rejected);
    add("for servers", for_names("DNS:a.example") + "extendedKeyUsage=serverAuth\n", "a.example",
        {});
    rows.push_back({"not yet valid", not_yet_valid(), "a.example", tls::Errc::certificate_not_yet});

    const auto below = [&](const std::string& what, const std::string& signer,
                           const std::string& extensions, const std::string& name, bool is_sent,
                           tls::Errc cause) {
        static_cast<void>(folder.make_with(signer, extensions, "ca", "/CN=" + signer));
        Certificates::Pair pair =
            folder.make_with("of-" + signer, for_names("DNS:" + name), signer);
        // The authority first: any order will do behind the first one.
        if (is_sent)
            pair.certificate = folder.chain("chain-" + signer,
                                            {"of-" + signer + ".pem", "ca.pem", signer + ".pem"});
        rows.push_back({what, pair, name, cause});
    };
    below("by an authority below ours", "sub", is_authority, "a.example", true, {});
    below("by an authority below ours that is not sent", "sub2", is_authority, "a.example", false,
          unknown);
    below("by one that is no authority", "none", "basicConstraints=critical,CA:FALSE\n",
          "a.example", true, rejected);
    const std::string inside =
        is_authority + "nameConstraints=critical,permitted;DNS:inside.example\n";
    below("within an authority's names", "inside", inside, "a.inside.example", true, {});
    below("outside of an authority's names", "outside", inside, "a.example", true, rejected);

    for (const Row& row : rows) {
        CAPTURE(row.what);
        asio::io_context io;
        TlsServer server{io, row.pair, response(200, "")};
        HttpsGetProbe probe{
            io,
            to(server.port()),
            {.verify = tls::Verify::full, .ca_file = folder.authority(), .server_name = row.name}};
        const auto [error, result] = probe_once(io, probe);
        INFO(result.message());
        CHECK_FALSE(error);
        CHECK(result.outcome == (row.cause == tls::Errc{} ? Outcome::success : Outcome::failure));
        if (row.cause != tls::Errc{}) CHECK(result.cause == row.cause);
    }
}

TEST_CASE("the system's authorities do not trust the test's authority") {
    asio::io_context io;
    TlsServer server{io, good(), response(200, "")};
    HttpsGetProbe probe{io, to(server.port()), {.verify = tls::Verify::full}};
    CHECK(probe_once(io, probe).result.cause == tls::Errc::unknown_authority);
}

TEST_CASE("the name that is sent is the host, or the given one") {
    const auto [host, given, sent] = GENERATE(table<std::string, std::string, std::string>({
        {"localhost", "", "localhost"},
        {"localhost", "service.example", "service.example"},
        {"", "service.example.", "service.example"},
        {"localhost", "127.0.0.1", ""},
        {"127.0.0.1", "", ""},
    }));
    asio::io_context io;
    TlsServer server{io, good(), response(200, "")};
    HttpGetAction action = to(server.port(), host);
    action.headers = {{"Host", "header.example"}};
    HttpsGetProbe probe{io, action, {.server_name = given}};
    const ProbeResult result = probe_once(io, probe).result;
    INFO(result.message());
    REQUIRE(result.passed());
    CHECK(server.name == sent);
    CHECK(server.request.find("\r\nHost: header.example\r\n") != std::string::npos);
}

TEST_CASE("the client's certificate is sent to a server that wants one") {
    const auto version = GENERATE(TLS1_2_VERSION, TLS1_3_VERSION);
    asio::io_context io;
    TlsServer server{io, good(), response(200, "")};
    server.context.load_verify_file(certificates().authority());
    server.context.set_verify_mode(asio::ssl::verify_peer | asio::ssl::verify_fail_if_no_peer_cert);
    SSL_CTX_set_max_proto_version(server.context.native_handle(), version);
    SECTION("with a certificate") {
        const auto [certificate, key] = certificates().make("client", "DNS:client.example");
        HttpsGetProbe probe{
            io, to(server.port()), {.certificate_file = certificate, .private_key_file = key}};
        CHECK(probe_once(io, probe).result.passed());
    }
    SECTION("with a certificate and its key in one file") {
        const auto [certificate, key] = certificates().make("both", "DNS:client.example");
        std::ofstream{certificate, std::ios::app} << std::ifstream{key}.rdbuf();
        HttpsGetProbe probe{io, to(server.port()), {.certificate_file = certificate}};
        CHECK(probe_once(io, probe).result.passed());
    }
    SECTION("without a certificate") {
        HttpsGetProbe probe{io, to(server.port())};
        const auto [error, result] = probe_once(io, probe);
        CHECK_FALSE(error);
        CHECK(result.outcome == Outcome::failure);
        CHECK(result.cause == tls::Errc::alert);
        CHECK(result.phase == (version == TLS1_3_VERSION ? Phase::response : Phase::handshake));
        CHECK(result.message().ends_with(
            version == TLS1_3_VERSION ? R"(/healthz": remote error: tls: certificate required)"
                                      : R"(/healthz": remote error: tls: handshake failure)"));
    }
}

TEST_CASE("without a common version of TLS the attempt fails") {
    const auto [newest, least] = GENERATE(table<int, tls::Version>({
        {TLS1_2_VERSION, tls::Version::tls_1_3},
        {TLS1_1_VERSION, tls::Version::tls_1_2},
        {TLS1_1_VERSION, tls::Version::tls_1_3},
    }));
    asio::io_context io;
    TlsServer server{io, good(), response(200, "")};
    SSL_CTX_set_security_level(server.context.native_handle(), 0);
    SSL_CTX_set_min_proto_version(server.context.native_handle(), TLS1_VERSION);
    SSL_CTX_set_max_proto_version(server.context.native_handle(), newest);
    HttpsGetProbe probe{io, to(server.port()), {.min_version = least}};
    const auto [error, result] = probe_once(io, probe);
    CHECK_FALSE(error);
    CHECK(result.outcome == Outcome::failure);
    CHECK(result.phase == Phase::handshake);
    CHECK(result.cause == tls::Errc::protocol_version);
    CHECK(result.message().find("protocol") != std::string::npos);
}

TEST_CASE("a peer that does not speak TLS is recognised by its first bytes") {
    struct Row {
        std::string bytes;
        std::error_code cause;
        std::string words;
    };
    using std::string_literals::operator""s;
    const Row row = GENERATE(values<Row>({
        {"HTTP/1.1 400 Bad Request\r\n\r\n", tls::Errc::plain_http,
         "http: server gave HTTP response to HTTPS client"},
        {"hello hello hello\r\n", tls::Errc::not_tls,
         "tls: first record does not look like a TLS handshake"},
        {"SSH-2.0-OpenSSH_9.2\r\n", tls::Errc::not_tls,
         "tls: first record does not look like a TLS handshake"},
        {"\x16\x10\x00\x00\x01x"s, tls::Errc::not_tls,
         "tls: first record does not look like a TLS handshake"},
        {"\x15\x03\x03\x00\x02\x02\x28"s, tls::Errc::alert, "remote error: tls: handshake failure"},
        {"\x15\x03\x03\x00\x02\x02\x70"s, tls::Errc::alert, "remote error: tls: unrecognized name"},
        {"\x15\x03\x01\x00\x02\x02\x46"s, tls::Errc::protocol_version,
         "remote error: tls: protocol version not supported"},
        {"\x15\x03\x03\x00\x02\x02\xc8"s, tls::Errc::alert, "remote error: tls: alert(200)"},
        {"\x16\x03\x03\x00\x04\x7f\x00\x00\x00"s, tls::Errc::protocol_error,
         "local error: tls: unexpected message"},
        {"\x16\x03\x03\x00\x06\x02\x00\x00\x02\x03\x03"s, tls::Errc::protocol_error,
         "local error: tls: error decoding message"},
        {"\x15\x03\x03\x00\x02\x02\x00"s, tls::Errc::closed,
         "EOF"}, // close_notify, as an error and as it should be
        {"\x15\x03\x03\x00\x02\x01\x00"s, tls::Errc::closed, "EOF"},
        {"", tls::Errc::closed, "EOF"},
        {"HTT", tls::Errc::closed, "unexpected EOF"},
        {"\x16\x03\x03\x00\x7a\x02"s, tls::Errc::closed, "unexpected EOF"},
    }));
    asio::io_context io;
    RawServer server{io, row.bytes};
    HttpsGetProbe probe{io, to(server.port())};
    const auto [error, result] = probe_once(io, probe);
    CHECK_FALSE(error);
    CHECK(result.outcome == Outcome::failure);
    CHECK(result.phase == Phase::handshake);
    CHECK(result.cause == row.cause);
    CHECK(result.message() ==
          "Get \"https://127.0.0.1:" + std::to_string(server.port()) + "/healthz\": " + row.words);
    CHECK(ERR_peek_error() == 0);
}

TEST_CASE("a reset within the handshake is the system's error") {
    asio::io_context io;
    RawServer server{io, ""};
    server.resets = true;
    HttpsGetProbe probe{io, to(server.port())};
    const ProbeResult result = probe_once(io, probe).result;
    CHECK(result.outcome == Outcome::failure);
    CHECK(result.phase == Phase::handshake);
    CHECK(result.cause == std::errc::connection_reset);
    CHECK(result.message().ends_with("->127.0.0.1:" + std::to_string(server.port()) +
                                     ": read: connection reset by peer"));
}

TEST_CASE("a silent peer costs the timeout, in every phase") {
    const std::string bytes = GENERATE("", "\x16\x03\x03", "HT");
    asio::io_context io;
    RawServer server{io, bytes, false};
    HttpsGetProbe probe{io, to(server.port())};
    const auto [error, result] = probe_once(io, probe, 250ms);
    CHECK_FALSE(error);
    CHECK(result.outcome == Outcome::failure);
    CHECK(result.cause == Errc::timed_out);
    CHECK(result.phase == Phase::handshake);
    CHECK(result.message().ends_with("/healthz\": context deadline exceeded"));
}

TEST_CASE("a closed port does not pass for being connected to itself, over TLS either") {
    std::optional<ProbeResult> seen;
    const bool could = in_own_network([&] {
        std::ofstream{"/proc/sys/net/ipv4/ip_local_port_range"} << "40000 40000";
        asio::io_context io;
        HttpsGetProbe probe{io, to(40000)};
        probe.async_probe(20s, [&](std::error_code, ProbeResult result) { seen = result; });
        io.run();
    });
    if (!could || !seen) SKIP("needs root");
    CHECK(seen->outcome == Outcome::failure);
    CHECK(seen->phase == Phase::connect);
    CHECK(seen->cause == std::errc::connection_refused);
}

TEST_CASE("an end between two records is the end of the body, an end within a record is not") {
    asio::io_context io;
    const bool is_cut = GENERATE(false, true);
    TlsServer server{io, good(), "HTTP/1.1 200 OK\r\n\r\nall of it",
                     [is_cut](TlsServer& self, TlsServer::Stream& stream) -> asio::awaitable<void> {
                         co_await self.read_request(stream);
                         co_await asio::async_write(stream, asio::buffer(self.answer),
                                                    asio::use_awaitable);
                         static constexpr std::string_view begun{"\x17\x03\x03\x00\x40zz", 7};
                         if (is_cut)
                             co_await asio::async_write(stream.next_layer(), asio::buffer(begun),
                                                        asio::use_awaitable);
                     }};
    HttpsGetProbe probe{io, to(server.port()), {}, {.keep_output = true}};
    const auto [error, result] = probe_once(io, probe);
    if (is_cut) {
        CHECK(error == Errc::incomplete_body);
        CHECK(result.message() == "unexpected EOF");
    } else {
        CHECK_FALSE(error);
        CHECK(result.outcome == Outcome::success);
        CHECK(result.output == "all of it");
    }
}

TEST_CASE("a large body may come in any number of records") {
    asio::io_context io;
    const std::string body(200'000, 'b');
    TlsServer server{io, good(), response(200, body)};
    const std::size_t limit = GENERATE(0u, 1u, 10'240u, 16'384u, 199'999u, 1'000'000u);
    HttpsGetProbe probe{io, to(server.port()), {}, {.body_limit = limit, .keep_output = true}};
    const ProbeResult result = probe_once(io, probe).result;
    CHECK(result.outcome == Outcome::success);
    CHECK(result.output == body.substr(0, limit));
}

TEST_CASE("a large request may take any number of writes") {
    asio::io_context io;
    TlsServer server{io, good(), response(200, "")};
    HttpGetAction action = to(server.port());
    action.headers = {{"X-Large", std::string(3'000'000, 'x')}};
    HttpsGetProbe probe{io, action};
    CHECK(probe_once(io, probe, 60s).result.passed());
    CHECK(server.request.size() > 3'000'000);
}

TEST_CASE("redirects lead from http to https and back, within the host") {
    asio::io_context io;
    TlsServer secure{io, good(), response(200, "there")};
    tools::LoopbackServer plain{io, response(200, "there")};
    SECTION("to https") {
        tools::LoopbackServer server{io, response(302, "",
                                                  "Location: https://127.0.0.1:" +
                                                      std::to_string(secure.port()) + "/x\r\n")};
        HttpGetAction action{.port = server.port()};
        HttpsGetProbe probe{io, action, {}, {.keep_output = true}};
        CHECK(probe_once(io, probe).result.message() == "there");
        CHECK(secure.request.starts_with("GET /x HTTP/1.1\r\n"));
        CHECK(secure.request.find("\r\nReferer: http://127.0.0.1:") != std::string::npos);

        HttpGetProbe without{io, action};
        CHECK(probe_once(io, without).result.message() ==
              "Get \"https://127.0.0.1:" + std::to_string(secure.port()) +
                  "/x\": unsupported protocol scheme \"https\"");
    }
    SECTION("to http") {
        secure.answer = response(
            302, "", "Location: http://127.0.0.1:" + std::to_string(plain.port()) + "/y\r\n");
        HttpsGetProbe probe{io, to(secure.port()), {}, {.keep_output = true}};
        CHECK(probe_once(io, probe).result.message() == "there");
        CHECK(plain.request.starts_with("GET /y HTTP/1.1\r\n"));
        CHECK(plain.request.find("Referer") == std::string::npos);
    }
    SECTION("to http, from a peer that was verified") {
        const std::string location = "http://127.0.0.1:" + std::to_string(plain.port()) + "/y";
        secure.answer = response(302, "", "Location: " + location + "\r\n");
        const auto probe_with = [&](Redirects redirects, tls::Verify verify) {
            tls::Options options{.verify = verify};
            if (verify != tls::Verify::none) options.ca_file = certificates().authority();
            HttpsGetProbe probe{io, to(secure.port()), options, {.redirects = redirects}};
            return probe_once(io, probe).result;
        };
        const auto verify = GENERATE(tls::Verify::chain, tls::Verify::full);
        const ProbeResult result = probe_with(Redirects::same_host, verify);
        CHECK(result.cause == Errc::bad_redirect);
        CHECK(result.outcome == Outcome::failure);
        CHECK(result.message() ==
              "Get \"https://127.0.0.1:" + std::to_string(secure.port()) +
                  "/healthz\": redirect from https to http is not followed: \"" + location + "\"");
        CHECK(plain.connections == 0);
        CHECK(probe_with(Redirects::no_downgrade, tls::Verify::none).cause == Errc::bad_redirect);
        CHECK(probe_with(Redirects::any_scheme, verify).outcome == Outcome::success);
        CHECK(probe_with(Redirects::none, verify).outcome == Outcome::warning);
    }
    SECTION("to https again, each time verified") {
        TlsServer last{io, elsewhere(), response(200, "")};
        secure.answer = response(
            302, "", "Location: https://127.0.0.1:" + std::to_string(last.port()) + "/z\r\n");
        HttpsGetProbe probe{io,
                            to(secure.port()),
                            {.verify = tls::Verify::full, .ca_file = certificates().authority()}};
        CHECK(probe_once(io, probe).result.cause == tls::Errc::wrong_name);
    }
}

TEST_CASE("the expiry of a certificate is known, also if it was refused") {
    asio::io_context io;
    TlsServer server{io, good(), response(200, "")};
    std::optional<HttpsGetProbe> probe{
        std::in_place, io, to(server.port()),
        tls::Options{.verify = GENERATE(tls::Verify::none, tls::Verify::full), .ca_file = {}}};
    const tls::PeerCertificate certificate = probe->peer_certificate();
    CHECK_FALSE(certificate.expires());
    CHECK_FALSE(certificate.days_left());
    static_cast<void>(probe_once(io, *probe));
    probe.reset();
    REQUIRE(certificate.expires());
    CHECK(certificate.days_left() ==
          std::chrono::days{29}); // of thirty days, some seconds have passed
    CHECK(certificate.days_left(*certificate.expires()) == std::chrono::days{0});
    CHECK(certificate.days_left(*certificate.expires() + 1s) == std::chrono::days{-1});
}

TEST_CASE("a certificate may expire thousands of years ahead") {
    asio::io_context io;
    TlsServer server{io, endless(), response(200, "")};
    HttpsGetProbe probe{io, to(server.port()), {.warn_before_expiry = Duration::max()}};
    CHECK(probe_once(io, probe).result.outcome == Outcome::success);
    CHECK(probe.peer_certificate().days_left() == std::chrono::days{1'999'999});
}

TEST_CASE("a certificate that expires soon is a warning") {
    struct Row {
        const Certificates::Pair& pair;
        std::chrono::hours before;
        Outcome outcome;
        std::string message;
    };
    const Row rows[] = {
        {good(), 0h, Outcome::success, "fine"},
        {good(), 24h * 29, Outcome::success, "fine"},
        {good(), 24h * 31, Outcome::warning, "certificate of 127.0.0.1 expires in 29 days"},
        {expired(), 1h, Outcome::warning, "certificate of 127.0.0.1 has expired"},
    };
    for (const Row& row : rows) {
        asio::io_context io;
        TlsServer server{io, row.pair, response(200, "fine")};
        HttpsGetProbe probe{
            io, to(server.port()), {.warn_before_expiry = row.before}, {.keep_output = true}};
        const auto [error, result] = probe_once(io, probe);
        CHECK_FALSE(error);
        CHECK(result.outcome == row.outcome);
        CHECK(result.message() == row.message);
    }
    asio::io_context io;
    TlsServer server{io, good(), response(503, "")};
    HttpsGetProbe probe{io, to(server.port()), {.warn_before_expiry = 24h * 31}};
    CHECK(probe_once(io, probe).result.message() ==
          "HTTP probe failed with statuscode: 503"); // a failure stays one
}

TEST_CASE("all invalid settings are named at once") {
    asio::io_context io;
    const auto errors_of = [&](const tls::Options& options) {
        try {
            HttpsGetProbe probe{io, {.port = 443, .scheme = HttpScheme::https}, options};
        } catch (const ConfigException& exception) {
            CHECK(exception.errors() == tls::validate(options));
            return exception.errors();
        }
        return ConfigErrors{};
    };
    const auto fields_of = [&](const tls::Options& options) {
        std::vector<std::string> fields;
        for (const ConfigError& error : errors_of(options)) fields.push_back(error.field);
        return fields;
    };
    using Fields = std::vector<std::string>;
    const std::string nothing = certificates().path("nothing");
    CHECK(fields_of({}) == Fields{});
    CHECK(fields_of({.ca_file = certificates().authority()}) == Fields{"ca_file"});
    CHECK(fields_of({.verify = tls::Verify::chain, .ca_file = nothing}) == Fields{"ca_file"});
    CHECK(fields_of({.server_name = std::string{"a\0b", 3}}) == Fields{"server_name"});
    CHECK(fields_of({.certificate_file = nothing}) == Fields{"certificate_file"});
    CHECK(fields_of({.certificate_file = good().certificate}) == Fields{"private_key_file"});
    CHECK(fields_of({.certificate_file = good().certificate, .private_key_file = expired().key}) ==
          Fields{"private_key_file"});
    CHECK(fields_of({.private_key_file = good().key}) == Fields{"private_key_file"});
    CHECK(fields_of({.warn_before_expiry = -1s}) == Fields{"warn_before_expiry"});
    CHECK(
        fields_of({.verify = tls::Verify::full, .ca_file = nothing, .certificate_file = nothing}) ==
        Fields{"ca_file", "certificate_file"});
    CHECK(errors_of({.verify = tls::Verify::chain, .ca_file = nothing}).front().detail ==
          "no such file or directory");
    // A key with a passphrase: OpenSSL must not ask for it.
    certificates().openssl("pkey -in " + good().key + " -aes256 -passout pass:secret -out " +
                           certificates().path("locked.key"));
    CHECK(fields_of({.certificate_file = good().certificate,
                     .private_key_file = certificates().path("locked.key")}) ==
          Fields{"private_key_file"});
    CHECK_THROWS_AS((HttpsGetProbe{io, {.port = 0, .scheme = HttpScheme::https}}), ConfigException);
    CHECK_THROWS_AS((HttpsGetProbe{io, {.port = 1}, {}, {.max_requests = 0}}), ConfigException);
    CHECK(ERR_peek_error() == 0);
}

TEST_CASE("a cancelled attempt leaves nothing behind, in any phase") {
    asio::io_context io;
    const int where = GENERATE(0, 1, 2); // in the handshake, before the head, in the body
    asio::cancellation_signal signal;
    RawServer raw{io, "", false};
    raw.asked = [&] { signal.emit(asio::cancellation_type::terminal); };
    TlsServer server{
        io, good(), "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab",
        [&](TlsServer& self, TlsServer::Stream& stream) -> asio::awaitable<void> {
            co_await self.read_request(stream);
            if (where == 2)
                co_await asio::async_write(stream, asio::buffer(self.answer), asio::use_awaitable);
            asio::post(io, [&] { signal.emit(asio::cancellation_type::total); });
            char byte = 0;
            co_await stream.async_read_some(asio::buffer(&byte, 1),
                                            asio::redirect_error(asio::use_awaitable, self.ending));
        }};
    std::optional<std::error_code> completed;
    {
        HttpsGetProbe probe{io, to(where == 0 ? raw.port() : server.port())};
        probe.async_probe(60s, asio::bind_cancellation_slot(
                                   signal.slot(), [&](std::error_code error, const ProbeResult&) {
                                       completed = error;
                                   }));
    } // the probe may be destroyed
    while (!completed) io.run_one_for(20s);
    CHECK(completed == asio::error::operation_aborted);
    raw.stop();
    server.stop();
    io.run(); // ends: nothing of the attempt is left, and the server has seen the close
    if (where != 0) CHECK(server.ending);
}

TEST_CASE("the context may be destroyed in the middle of a handshake") {
    auto io = std::make_unique<asio::io_context>();
    auto server = std::make_unique<RawServer>(*io, "", false);
    bool asked = false;
    server->asked = [&] { asked = true; };
    HttpsGetProbe probe{*io, to(server->port())};
    probe.async_probe(60s, [](std::error_code, const ProbeResult&) {
        FAIL("completed although the context was destroyed");
    });
    while (!asked) io->run_one_for(20s);
    server.reset();
    io.reset();
}

TEST_CASE("tls::make_probe makes an HttpsGetProbe behind AnyProbe") {
    asio::io_context io;
    TlsServer server{io, good(), response(200, "")};
    AnyProbe probe =
        tls::make_probe(io.get_executor(), to(server.port()), {},
                        {.verify = tls::Verify::full, .ca_file = certificates().authority()});
    CHECK(probe_once(io, probe).result.passed());
    AnyProbe other = tls::make_probe(io.get_executor(), TcpSocketAction{.port = server.port()});
    CHECK(probe_once(io, other).result.passed());
    AnyProbe made = make_probe(
        io.get_executor(), ProbeSettings{.action = to(server.port())},
        tls::Maker{{.verify = tls::Verify::full, .ca_file = certificates().authority()}});
    CHECK(probe_once(io, made).result.passed());
}

TEST_CASE("a worker sees a target's certificate become invalid") {
    asio::io_context io;
    TlsServer server{io, good(), response(200, "")};
    ProbeWorker worker{
        HttpsGetProbe{io,
                      to(server.port()),
                      {.verify = tls::Verify::full, .ca_file = certificates().authority()}},
        ProbeSpec{.period = 5ms, .failure_threshold = 2}};
    std::vector<std::string> reasons;
    worker.on_verdict([&](const Verdict& verdict) {
        reasons.push_back(verdict.reason());
        if (verdict.failed()) return worker.stop();
        server.context.use_certificate_chain_file(expired().certificate);
        server.context.use_private_key_file(expired().key, asio::ssl::context::pem);
    });
    worker.start();
    while (reasons.size() < 2) io.run_one_for(20s);
    CHECK(reasons[1].ends_with("x509: certificate has expired"));
}

TEST_CASE("HTTPS attempts run on a pool of threads, and workers on its strands") {
    asio::io_context io; // the server's, on a thread of its own
    TlsServer server{io, good(), response(200, "fine")};
    std::thread thread{[&] { io.run(); }};
    asio::thread_pool pool{4};
    {
        std::vector<std::future<ProbeResult>> answers;
        const HttpGetAction action = to(server.port());
        HttpsGetProbe probe{asio::make_strand(pool), action};
        for (int i = 0; i != 8; ++i) answers.push_back(probe.async_probe(60s, asio::use_future));
        for (auto& answer : answers) CHECK(answer.get().passed());

        std::promise<void> seen;
        auto strand = asio::make_strand(pool);
        std::optional<ProbeWorker<HttpsGetProbe>> worker;
        asio::post(strand, [&] {
            worker.emplace(HttpsGetProbe{strand, action},
                           ProbeSpec{.period = 1ms, .success_threshold = 3});
            worker->on_verdict([&](const Verdict& verdict) {
                if (!verdict.passed()) return;
                worker.reset();
                seen.set_value();
            });
            worker->start();
        });
        seen.get_future().wait();
    }
    pool.join();
    asio::post(io, [&] { server.stop(); });
    thread.join();
}
