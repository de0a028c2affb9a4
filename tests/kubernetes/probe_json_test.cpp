#include <probekit/kubernetes/probe_json.hpp>

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <nlohmann/json.hpp>

using namespace std::chrono_literals;
using namespace probekit;
using kubernetes::HandlerOwner;
using kubernetes::read_handler;
using kubernetes::read_probe;
using kubernetes::ReadOptions;
using kubernetes::write_probe;
using nlohmann::json;
using Texts = std::vector<std::string>;

namespace {

Texts messages(std::string_view text, const ReadOptions& options = {}) {
    Texts result;
    for (const ConfigError& error : read_probe(json::parse(text), options).errors)
        result.push_back(error.message());
    return result;
}

ReadOptions liveness(std::string field = "spec.containers[0].livenessProbe") {
    return {.kind = ProbeKind::liveness,
            .field = std::move(field),
            .ports = {{"http", std::uint16_t{8080}}}};
}

} // namespace

TEST_CASE("an exec probe is read with Kubernetes' defaults") {
    const auto probe = read_probe(
        json::parse(R"({"exec": {"command": ["test", "-e", "/tmp/healthy"]}})"), liveness());
    REQUIRE(probe);
    CHECK(std::get<ExecAction>(probe.settings.action).command ==
          Texts{"test", "-e", "/tmp/healthy"});
    CHECK(std::get<ExecAction>(probe.settings.action).inherit_environment);
    CHECK(probe.settings.spec == ProbeSpec{.kind = ProbeKind::liveness, .error_threshold = 0});
}

TEST_CASE("an httpGet probe is read with all its fields") {
    const auto probe =
        read_probe(json::parse(R"({
        "httpGet": {"path": "/ready?x=1", "port": "http", "host": "127.0.0.9", "scheme": "HTTPS",
                    "httpHeaders": [{"name": "X-A", "value": "1"}, {"name": "X-A", "value": ""}, {"name": "X-B"}]},
        "initialDelaySeconds": 5, "timeoutSeconds": 2, "periodSeconds": 3, "successThreshold": 4, "failureThreshold": 6})"),
                   {.ports = {{"http", std::uint16_t{8080}}}, .default_host = "127.0.0.2"});
    REQUIRE(probe);
    const auto& get = std::get<HttpGetAction>(probe.settings.action);
    CHECK(get.path == "/ready?x=1");
    CHECK(get.port == 8080);
    CHECK(get.host == "127.0.0.9");
    CHECK(get.scheme == HttpScheme::https);
    CHECK(get.headers == std::vector<HttpHeader>{{"X-A", "1"}, {"X-A", ""}, {"X-B", ""}});
    CHECK(probe.settings.spec == ProbeSpec{.kind = ProbeKind::readiness,
                                           .initial_delay = 5s,
                                           .period = 3s,
                                           .timeout = 2s,
                                           .success_threshold = 4,
                                           .failure_threshold = 6,
                                           .error_threshold = 0});
}

TEST_CASE("what is left out of httpGet and tcpSocket is filled in") {
    const auto http = read_probe(
        json::parse(R"({"httpGet": {"port": 80, "path": "", "scheme": "", "host": ""}})"),
        {.default_host = "127.0.0.2"});
    REQUIRE(http);
    CHECK(std::get<HttpGetAction>(http.settings.action).path == "/");
    CHECK(std::get<HttpGetAction>(http.settings.action).scheme == HttpScheme::http);
    CHECK(std::get<HttpGetAction>(http.settings.action).host == "127.0.0.2");
    const auto tcp = read_probe(json::parse(R"({"tcpSocket": {"port": 65535}})"));
    REQUIRE(tcp);
    CHECK(std::get<TcpSocketAction>(tcp.settings.action).port == 65535);
    CHECK(std::get<TcpSocketAction>(tcp.settings.action).host.empty());
}

TEST_CASE("0 and null mean the default") {
    const auto probe = read_probe(json::parse(R"({
        "tcpSocket": {"port": 1}, "exec": null, "initialDelaySeconds": 0, "timeoutSeconds": 0, "periodSeconds": null,
        "successThreshold": 0, "failureThreshold": 0, "terminationGracePeriodSeconds": null})"),
                                  liveness());
    REQUIRE(probe);
    CHECK(probe.settings.spec == ProbeSpec{.kind = ProbeKind::liveness, .error_threshold = 0});
}

TEST_CASE("a timeout may be longer than the period") {
    const auto probe = read_probe(
        json::parse(R"({"tcpSocket": {"port": 1}, "timeoutSeconds": 20, "periodSeconds": 1})"));
    REQUIRE(probe);
    CHECK(probe.settings.spec.timeout == 20s);
    CHECK(probe.settings.spec.period == 1s);
}

TEST_CASE("the largest numbers that Kubernetes takes are taken") {
    const auto probe =
        read_probe(json::parse(R"({"tcpSocket": {"port": 1}, "periodSeconds": 2147483647,
        "initialDelaySeconds": 2147483647, "terminationGracePeriodSeconds": 9223372036})"),
                   liveness());
    REQUIRE(probe);
    CHECK(probe.settings.spec.period == 2147483647s);
    CHECK(probe.settings.spec.initial_delay == 2147483647s);
    CHECK(probe.settings.spec.termination_grace_period == 9223372036s);
}

TEST_CASE("mistakes are named in the API server's words") {
    const std::string field = "spec.containers[0].livenessProbe";
    const auto [text, details] = GENERATE_COPY(table<std::string, Texts>({
        {R"({})", {": Required value: must specify a handler type"}},
        {R"(null)", {": Required value: must specify a handler type"}},
        {R"({"exec": null})", {": Required value: must specify a handler type"}},
        {R"({"exec": {}})", {".exec.command: Required value"}},
        {R"({"exec": {"command": []}})", {".exec.command: Required value"}},
        {R"({"exec": {"command": ["x"]}, "httpGet": {"port": 0}, "tcpSocket": {}, "grpc": {}})",
         {".httpGet: Forbidden: may not specify more than 1 handler type",
          ".tcpSocket: Forbidden: may not specify more than 1 handler type",
          ".grpc: Forbidden: may not specify more than 1 handler type"}},
        {R"({"httpGet": {"port": 0}})",
         {".httpGet.port: Invalid value: 0: must be between 1 and 65535, inclusive"}},
        {R"({"httpGet": {}})",
         {".httpGet.port: Invalid value: 0: must be between 1 and 65535, inclusive"}},
        {R"({"tcpSocket": {"port": 65536}})",
         {".tcpSocket.port: Invalid value: 65536: must be between 1 and 65535, inclusive"}},
        {R"({"tcpSocket": {"port": -1}})",
         {".tcpSocket.port: Invalid value: -1: must be between 1 and 65535, inclusive"}},
        {R"({"tcpSocket": {"port": "8080"}})",
         {R"(.tcpSocket.port: Invalid value: "8080": must contain at least one letter (a-z))"}},
        {R"({"tcpSocket": {"port": "a--b-"}})",
         {R"(.tcpSocket.port: Invalid value: "a--b-": must not contain consecutive hyphens)",
          R"(.tcpSocket.port: Invalid value: "a--b-": must not begin or end with a hyphen)"}},
        {R"({"httpGet": {"port": 1, "scheme": "http"}})",
         {R"(.httpGet.scheme: Unsupported value: "http": supported values: "HTTP", "HTTPS")"}},
        {R"({"httpGet": {"port": 1, "httpHeaders": [{"name": "X A", "value": "v"}, {"name": "X-B", "value": "v"}, {}]}})",
         {R"(.httpGet.httpHeaders: Invalid value: "X A": a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+'))",
          R"(.httpGet.httpHeaders: Invalid value: "": a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+'))"}},
        {R"({"tcpSocket": {"port": 1}, "terminationGracePeriodSeconds": 0})",
         {".terminationGracePeriodSeconds: Invalid value: 0: must be greater than 0"}},
        {R"({"tcpSocket": {"port": 1}, "successThreshold": 2})",
         {".successThreshold: Invalid value: 2: must be 1"}},
        {R"({"tcpSocket": {"port": 1}, "successThreshold": -1})",
         {".successThreshold: Invalid value: -1: must be greater than or equal to 0",
          ".successThreshold: Invalid value: -1: must be 1"}},
        // All at once and in its order, whatever the order in the JSON.
        {R"({"terminationGracePeriodSeconds": -5, "failureThreshold": -4, "successThreshold": 2, "periodSeconds": -3,
             "timeoutSeconds": -2, "initialDelaySeconds": -1, "httpGet": {"scheme": "FTP", "port": "x_"}})",
         {R"(.httpGet.port: Invalid value: "x_": must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-))",
          R"(.httpGet.scheme: Unsupported value: "FTP": supported values: "HTTP", "HTTPS")",
          ".initialDelaySeconds: Invalid value: -1: must be greater than or equal to 0",
          ".timeoutSeconds: Invalid value: -2: must be greater than or equal to 0",
          ".periodSeconds: Invalid value: -3: must be greater than or equal to 0",
          ".failureThreshold: Invalid value: -4: must be greater than or equal to 0",
          ".terminationGracePeriodSeconds: Invalid value: -5: must be greater than 0",
          ".successThreshold: Invalid value: 2: must be 1"}},
    }));
    CAPTURE(text);
    Texts expected;
    for (const std::string& detail : details) expected.push_back(field + detail);
    CHECK(messages(text, liveness(field)) == expected);
}

TEST_CASE("only readiness may have a success threshold, only the others a grace period") {
    const std::string text =
        R"({"tcpSocket": {"port": 1}, "successThreshold": 2, "terminationGracePeriodSeconds": 10})";
    CHECK(messages(text, {.kind = ProbeKind::readiness, .field = "r"}) ==
          Texts{"r.terminationGracePeriodSeconds: Invalid value: 10: must not be set for "
                "readinessProbes"});
    CHECK(messages(text, {.kind = ProbeKind::startup, .field = "s"}) ==
          Texts{"s.successThreshold: Invalid value: 2: must be 1"});
    CHECK(messages(R"({"tcpSocket": {"port": 1}, "terminationGracePeriodSeconds": 0})",
                   {.field = "r"}) ==
          Texts{"r.terminationGracePeriodSeconds: Invalid value: 0: must be greater than 0",
                "r.terminationGracePeriodSeconds: Invalid value: 0: must not be set for "
                "readinessProbes"});
}

TEST_CASE("wrong types and numbers that do not fit are named, and nothing is thrown") {
    const auto [text, expected] = GENERATE(table<std::string, Texts>({
        {R"("probe")",
         {R"(Invalid value: "probe": must be an object)",
          "Required value: must specify a handler type"}},
        {R"({"exec": ["true"]})", {R"(.exec: Invalid value: ["true"]: must be an object)"}},
        {R"({"exec": {"command": "true"}})",
         {R"(.exec.command: Invalid value: "true": must be an array)"}},
        {R"({"exec": {"command": ["sleep", 5]}})",
         {".exec.command[1]: Invalid value: 5: must be a string"}},
        {R"({"httpGet": {"port": 80.5}})",
         {".httpGet.port: Invalid value: 80.5: must be an integer or a string"}},
        {R"({"httpGet": {"port": true}})",
         {".httpGet.port: Invalid value: true: must be an integer or a string"}},
        {R"({"httpGet": {"port": 99999999999}})",
         {".httpGet.port: Invalid value: 99999999999: must fit in 32 bits"}},
        {R"({"httpGet": {"port": 1, "path": 5, "host": [], "httpHeaders": {}}})",
         {".httpGet.path: Invalid value: 5: must be a string",
          ".httpGet.httpHeaders: Invalid value: {}: must be an array",
          ".httpGet.host: Invalid value: []: must be a string"}},
        {R"({"httpGet": {"port": 1, "httpHeaders": [{"name": "A", "value": 1}]}})",
         {".httpGet.httpHeaders[0].value: Invalid value: 1: must be a string"}},
        {R"({"tcpSocket": {"port": 1}, "periodSeconds": "10"})",
         {R"(.periodSeconds: Invalid value: "10": must be an integer)"}},
        {R"({"tcpSocket": {"port": 1}, "periodSeconds": 1.5})",
         {".periodSeconds: Invalid value: 1.5: must be an integer"}},
        {R"({"tcpSocket": {"port": 1}, "periodSeconds": 2147483648})",
         {".periodSeconds: Invalid value: 2147483648: must fit in 32 bits"}},
        {R"({"tcpSocket": {"port": 1}, "failureThreshold": 18446744073709551616})",
         {".failureThreshold: Invalid value: 1.8446744073709552e+19: must be an integer"}},
    }));
    CAPTURE(text);
    CHECK(messages(text, {.kind = ProbeKind::readiness}) == expected);
}

TEST_CASE("an int64 of seconds that no Duration can hold is an error, not an overflow") {
    CHECK(messages(R"({"tcpSocket": {"port": 1}, "terminationGracePeriodSeconds": 9223372037})",
                   liveness("l")) == Texts{"l.terminationGracePeriodSeconds: Invalid value: "
                                           "9223372037: must be less than or equal to 9223372036"});
    CHECK(messages(
              R"({"tcpSocket": {"port": 1}, "terminationGracePeriodSeconds": 9223372036854775808})",
              liveness("l")) == Texts{"l.terminationGracePeriodSeconds: Invalid value: "
                                      "9223372036854775808: must fit in 64 bits"});
}

TEST_CASE("port names are looked up among the container's ports") {
    const ReadOptions options{
        .ports = {{"http", std::uint16_t{8080}}, {"admin", std::uint16_t{9090}}}};
    const auto probe = read_probe(json::parse(R"({"tcpSocket": {"port": "admin"}})"), options);
    REQUIRE(probe);
    CHECK(std::get<TcpSocketAction>(probe.settings.action).port == 9090);
    CHECK(messages(R"({"tcpSocket": {"port": "nope"}})", options) ==
          Texts{R"(.tcpSocket.port: Invalid value: "nope": port "nope" not found)"});
}

TEST_CASE("an undeclared port name is data, and no error where that is allowed") {
    const std::string text = R"({"httpGet": {"port": "nope", "host": "h"}, "timeoutSeconds": -1})";
    const auto refused = read_probe(json::parse(text));
    CHECK(refused.undeclared_port == "nope");
    CHECK(refused.errors.size() == 2);
    const auto allowed = read_probe(json::parse(text), {.allow_undeclared_port = true});
    CHECK(allowed.undeclared_port == "nope");
    CHECK(std::get<HttpGetAction>(allowed.settings.action) == HttpGetAction{.host = "h"});
    CHECK(allowed.errors == ConfigErrors{{".timeoutSeconds", "Invalid value: -1: must be greater "
                                                             "than or equal to 0"}});
    CHECK(messages(R"({"tcpSocket": {"port": "not_a_name"}})", {.allow_undeclared_port = true}) ==
          Texts{R"(.tcpSocket.port: Invalid value: "not_a_name": must contain only alpha-numeric )"
                "characters (a-z, 0-9), and hyphens (-)"});
    CHECK_FALSE(read_probe(json::parse(R"({"tcpSocket": {"port": 80}})")).undeclared_port);
}

TEST_CASE("an exec command's variables are replaced if they are given") {
    const json probe{{"exec", {{"command", {"$(A)", "$$", "$(B)"}}}}};
    const auto command = [&](const ReadOptions& options) {
        return std::get<ExecAction>(read_probe(probe, options).settings.action).command;
    };
    CHECK(command({}) == Texts{"$(A)", "$$", "$(B)"});
    CHECK(command({.variables = kubernetes::Variables{}}) == Texts{"$(A)", "$", "$(B)"});
    CHECK(command({.variables = kubernetes::Variables{{"A", "x y"}}}) == Texts{"x y", "$", "$(B)"});
}

TEST_CASE("a grpc probe is read and written") {
    const auto probe = read_probe(
        json::parse(R"({"grpc": {"port": 9000, "service": "x"}, "periodSeconds": 5})"), liveness());
    REQUIRE(probe);
    CHECK(std::get<GrpcAction>(probe.settings.action) == GrpcAction{.port = 9000, .service = "x"});
    CHECK(
        write_probe(probe.settings).dump() ==
        R"({"grpc":{"port":9000,"service":"x"},"timeoutSeconds":1,"periodSeconds":5,"successThreshold":1,"failureThreshold":3})");
    const auto smallest = read_probe(json::parse(R"({"grpc": {"port": 1}})"));
    CHECK(write_probe(smallest.settings)["grpc"].dump() == R"({"port":1,"service":""})");
}

TEST_CASE(
    "a grpc probe goes to the pod's address, unless a host is named that strict does not know") {
    const auto action = [](std::string_view text, bool strict) {
        const auto read =
            read_probe(json::parse(text), {.default_host = "127.0.0.2", .strict = strict});
        CHECK(read.errors.empty() != strict);
        return std::get<GrpcAction>(read.settings.action);
    };
    const std::string named = R"({"grpc": {"port": 1, "host": "h"}})";
    CHECK(action(named, false).host == "h");
    CHECK(action(named, true).host == "127.0.0.2");
    CHECK(action(R"({"grpc": {"port": 1}})", false).host == "127.0.0.2");
}

TEST_CASE("mistakes in a grpc probe are named") {
    CHECK(messages(R"({"grpc": {"service": 5}})") ==
          Texts{".grpc.port: Invalid value: 0: must be between 1 and 65535, inclusive",
                ".grpc.service: Invalid value: 5: must be a string"});
    CHECK(messages(R"({"grpc": {"port": "web"}})") ==
          Texts{R"(.grpc.port: Invalid value: "web": must be an integer)"});
    CHECK(messages(R"({"grpc": {"port": 1, "host": "a\nb"}})") ==
          Texts{".grpc.host: Forbidden: must not contain CR, LF or NUL"});
    CHECK(std::holds_alternative<TcpSocketAction>(
        read_probe(json::parse(R"({"tcpSocket": {"port": 1}, "grpc": {"port": 1}})"))
            .settings.action));
}

TEST_CASE(
    "what would break a request or a command is refused although the API server lets it pass") {
    CHECK(
        messages(
            R"({"httpGet": {"port": 1, "httpHeaders": [{"name": "A", "value": "1"}, {"name": "B", "value": "x\r\nC: y"}]}})") ==
        Texts{".httpGet.httpHeaders[1].value: Forbidden: must not contain CR, LF or NUL"});
    CHECK(messages(R"({"httpGet": {"port": 1, "host": "a\nb"}})") ==
          Texts{".httpGet.host: Forbidden: must not contain CR, LF or NUL"});
    CHECK(messages(R"({"tcpSocket": {"port": 1, "host": "a\u0000"}})") ==
          Texts{".tcpSocket.host: Forbidden: must not contain CR, LF or NUL"});
    CHECK(messages(R"({"exec": {"command": ["", "a\u0000b"]}})") ==
          Texts{".exec.command[0]: Forbidden: must not be empty",
                ".exec.command[1]: Forbidden: must not contain NUL"});
}

TEST_CASE("fields beyond Kubernetes are read unless strict, which names them and every other "
          "unknown one") {
    const std::string text = R"({
        "exec": {"command": ["x"], "environment": ["A=1"], "inheritEnvironment": false, "workingDirectory": "/tmp"},
        "initialDelay": "250ms", "timeout": "0.5s", "period": "1m30s", "terminationGracePeriod": "1ns",
        "pacing": {"cadence": "targetStart", "spread": "1s", "jitter": "2s", "slack": "50ms", "seed": 18446744073709551615}, "bogus": 1})";
    const auto probe = read_probe(json::parse(text), liveness());
    REQUIRE(messages(text, liveness()) == Texts{});
    CHECK(probe.ignored == Texts{"spec.containers[0].livenessProbe.bogus"});
    const auto& exec = std::get<ExecAction>(probe.settings.action);
    CHECK(exec.environment == Texts{"A=1"});
    CHECK_FALSE(exec.inherit_environment);
    CHECK(exec.working_directory == "/tmp");
    CHECK(probe.settings.spec == ProbeSpec{.kind = ProbeKind::liveness,
                                           .initial_delay = 250ms,
                                           .period = 90s,
                                           .timeout = 500ms,
                                           .error_threshold = 0,
                                           .termination_grace_period = 1ns,
                                           .pacing = {.cadence = Cadence::target_start,
                                                      .spread = 1s,
                                                      .jitter = 2s,
                                                      .seed = 18446744073709551615u,
                                                      .slack = 50ms}});

    ReadOptions strict = liveness("l");
    strict.strict = true;
    const auto refused = read_probe(json::parse(text), strict);
    CHECK(refused.settings.spec == ProbeSpec{.kind = ProbeKind::liveness, .error_threshold = 0});
    Texts fields;
    for (const ConfigError& error : refused.errors) {
        CHECK(error.detail == "unknown field");
        fields.push_back(error.field);
    }
    CHECK(fields == Texts{"l.exec.environment", "l.exec.inheritEnvironment",
                          "l.exec.workingDirectory", "l.bogus", "l.initialDelay", "l.pacing",
                          "l.period", "l.terminationGracePeriod", "l.timeout"});
}

TEST_CASE(
    "a Unix-domain socket may stand instead of a port, unless strict, and is written the same") {
    const auto read = [](const std::string& text, bool strict = false) {
        return read_probe(json::parse(text), {.strict = strict});
    };
    const std::string http = R"({"httpGet": {"path": "/x", "unixSocket": "/run/app.sock"}})";
    const auto probe = read(http);
    REQUIRE(probe.errors == ConfigErrors{});
    CHECK(probe.ignored.empty());
    CHECK(probe.settings.options.http.unix_socket == "/run/app.sock");
    CHECK(std::get<HttpGetAction>(probe.settings.action) == HttpGetAction{.path = "/x"});
    CHECK(write_probe(probe.settings)["httpGet"].dump() ==
          R"({"path":"/x","unixSocket":"/run/app.sock","scheme":"HTTP"})");
    const auto with_port = read(R"({"tcpSocket": {"port": 80, "unixSocket": "@name"}})");
    REQUIRE(with_port.errors == ConfigErrors{});
    CHECK(with_port.settings.options.tcp.unix_socket == "@name");
    CHECK(std::get<TcpSocketAction>(with_port.settings.action).port == 80);

    CHECK(
        read(http, true).errors ==
        ConfigErrors{{".httpGet.port", "Invalid value: 0: must be between 1 and 65535, inclusive"},
                     {".httpGet.unixSocket", "unknown field"}});
    CHECK(messages(R"({"tcpSocket": {"unixSocket": ""}})") ==
          Texts{".tcpSocket.port: Invalid value: 0: must be between 1 and 65535, inclusive"});
    CHECK(messages(R"({"tcpSocket": {"port": 0, "unixSocket": "/x"}})") ==
          Texts{".tcpSocket.port: Invalid value: 0: must be between 1 and 65535, inclusive"});
    CHECK(messages(R"({"tcpSocket": {"port": 1, "unixSocket": ")" + std::string(108, 'p') +
                   R"("}})") ==
          Texts{".tcpSocket.unixSocket: Forbidden: must not be longer than 107 bytes"});
    CHECK(messages(R"({"httpGet": {"port": 1, "unixSocket": 5}})") ==
          Texts{".httpGet.unixSocket: Invalid value: 5: must be a string"});
    CHECK(read(R"({"exec": {"command": ["x"], "unixSocket": "/x"}})").ignored ==
          Texts{".exec.unixSocket"});
}

TEST_CASE("strict lets pass all that Kubernetes has") {
    CHECK(
        messages(
            R"({"httpGet": {"path": "/", "port": 1, "host": "h", "scheme": "HTTP", "httpHeaders": [{"name": "A", "value": "b"}]},
        "initialDelaySeconds": 1, "timeoutSeconds": 1, "periodSeconds": 1, "successThreshold": 1, "failureThreshold": 1,
        "terminationGracePeriodSeconds": 1})",
            {.kind = ProbeKind::startup, .strict = true})
            .empty());
    CHECK(messages(R"({"httpGet": {"port": 1, "httpHeaders": [{"name": "A", "valeu": "b"}]}})",
                   {.strict = true}) == Texts{".httpGet.httpHeaders[0].valeu: unknown field"});
}

TEST_CASE("mistakes in the fields beyond Kubernetes are named too") {
    CHECK(
        messages(
            R"({"tcpSocket": {"port": 1}, "period": "fast", "timeout": 1, "timeoutSeconds": 1, "pacing": {"cadence": "x", "seed": -1}})") ==
        Texts{".timeout: Forbidden: may not be set together with timeoutSeconds",
              R"(.period: Invalid value: "fast": must be a duration like 1s, 250ms or 1m30s)",
              R"(.pacing.cadence: Unsupported value: "x": supported values: "grid", "targetStart")",
              ".pacing.seed: Invalid value: -1: must be a 64 bit integer without sign"});
    CHECK(
        messages(
            R"({"tcpSocket": {"port": 1}, "period": "0s", "terminationGracePeriod": "1s", "pacing": {"jitter": "1s"}})") ==
        Texts{".period: Forbidden: must be greater than zero",
              ".terminationGracePeriod: Forbidden: must not be set for readiness",
              ".pacing.jitter: Forbidden: must be less than period"});
}

TEST_CASE("a probe is written as the API server shows it") {
    const ProbeAction action = HttpGetAction{.host = "127.0.0.2",
                                             .port = 8080,
                                             .path = "/h",
                                             .headers = {{.name = "X-A", .value = "1"}}};
    const ProbeSpec spec{.kind = ProbeKind::liveness,
                         .initial_delay = 5s,
                         .error_threshold = 0,
                         .termination_grace_period = 60s};
    CHECK(
        write_probe(action, spec).dump() ==
        R"({"httpGet":{"path":"/h","port":8080,"host":"127.0.0.2","scheme":"HTTP","httpHeaders":[{"name":"X-A","value":"1"}]},)"
        R"("initialDelaySeconds":5,"timeoutSeconds":1,"periodSeconds":10,"successThreshold":1,"failureThreshold":3,)"
        R"("terminationGracePeriodSeconds":60})");
    CHECK(
        write_probe(ExecAction{.command = {"true"}}, {.error_threshold = 0}).dump() ==
        R"({"exec":{"command":["true"]},"timeoutSeconds":1,"periodSeconds":10,"successThreshold":1,"failureThreshold":3})");
}

TEST_CASE("a host that is none is taken, as the API server takes it, and no mistake of settings") {
    for (const std::string host : {"http://localhost", "localhost:8080", "a/b"}) {
        CAPTURE(host);
        const json place{{"port", 1}, {"host", host}};
        const auto get = read_probe(json{{"httpGet", place}});
        CHECK(get);
        CHECK(std::get<HttpGetAction>(get.settings.action).host == host);
        CHECK(get.settings.options.http.any_host); // so make_probe() takes it too
        const auto tcp = read_probe(json{{"tcpSocket", place}});
        CHECK(tcp);
        CHECK(std::get<TcpSocketAction>(tcp.settings.action).host == host);
        CHECK(tcp.settings.options.tcp.any_host);
        CHECK(read_probe(json{{"grpc", place}}));
    }
}

TEST_CASE("a probe that cannot ask changes nothing, unless errorThreshold says so") {
    const auto spec = [](const std::string& fields) {
        return read_probe(json::parse(R"({"tcpSocket": {"port": 1})" + fields + "}")).settings.spec;
    };
    CHECK(spec("").error_threshold == 0);
    CHECK(spec(R"(, "errorThreshold": 0)").error_threshold == 0);
    CHECK(spec(R"(, "errorThreshold": null)").error_threshold == 0);
    CHECK(spec(R"(, "errorThreshold": 7)").error_threshold == 7);
    CHECK_FALSE(spec(R"(, "errorThreshold": 7)").error_threshold_local);
    CHECK(spec(R"(, "errorThreshold": 7, "errorThresholdLocal": true)").error_threshold_local);
    CHECK(messages(R"({"tcpSocket": {"port": 1}, "errorThreshold": -1})") ==
          Texts{".errorThreshold: Invalid value: -1: must be greater than or equal to 0"});
    CHECK(messages(R"({"tcpSocket": {"port": 1}, "errorThreshold": 65536})") ==
          Texts{".errorThreshold: Forbidden: must not be greater than 65535"});
    CHECK(messages(R"({"tcpSocket": {"port": 1}, "errorThreshold": 3})", {.strict = true}) ==
          Texts{".errorThreshold: unknown field"});
    // The library's own default is not Kubernetes'.
    const auto written = write_probe(TcpSocketAction{.port = 1}, {.error_threshold_local = true});
    CHECK(written["errorThreshold"] == 3);
    CHECK(written["errorThresholdLocal"] == true);
}

TEST_CASE("an empty path is written as what it stands for") {
    CHECK(write_probe(HttpGetAction{.port = 80, .path = ""}, {})["httpGet"]["path"] == "/");
}

TEST_CASE("what was written is read back the same") {
    const ProbeAction action =
        GENERATE(ProbeAction{ExecAction{.command = {"a", "", "ü"}}},
                 ProbeAction{ExecAction{.command = {"a"},
                                        .environment = {"A=1", "B="},
                                        .inherit_environment = false,
                                        .working_directory = "/"}},
                 ProbeAction{TcpSocketAction{.port = 1}},
                 ProbeAction{TcpSocketAction{.host = "::1", .port = 65535}},
                 ProbeAction{GrpcAction{.port = 9000}},
                 ProbeAction{GrpcAction{.host = "h", .port = 1, .service = "ü"}},
                 ProbeAction{HttpGetAction{.port = 80}},
                 ProbeAction{HttpGetAction{.host = "h",
                                           .port = 443,
                                           .path = "no/slash?q#f",
                                           .scheme = HttpScheme::https,
                                           .headers = {{"A", "1"}, {"B", ""}, {"A", "2"}}}});
    const ProbeSpec spec = GENERATE(
        ProbeSpec{}, ProbeSpec{.kind = ProbeKind::readiness, .success_threshold = 7},
        ProbeSpec{
            .kind = ProbeKind::startup, .period = 2147483647s, .failure_threshold = 2147483647},
        ProbeSpec{.kind = ProbeKind::liveness,
                  .initial_delay = 2147483648s,
                  .period = 1ns,
                  .timeout = 1001ms,
                  .termination_grace_period = Duration::max()},
        ProbeSpec{.kind = ProbeKind::liveness, .termination_grace_period = 2147483648s},
        ProbeSpec{.pacing = {.cadence = Cadence::target_start,
                             .spread = 1ms,
                             .jitter = 9999999999ns,
                             .seed = 1,
                             .slack = 0s}});
    const auto written = write_probe(action, spec);
    CAPTURE(written.dump());
    const auto read = read_probe(json::parse(written.dump()), {.kind = spec.kind});
    REQUIRE(read);
    CHECK(read.settings.spec == spec);
    CHECK(write_probe(read.settings) == written);
}

TEST_CASE("the handler of a hook is read without timing, which is reported as ignored") {
    const json hook = json::parse(
        R"({"httpGet": {"port": "web", "unixSocket": "/s"}, "periodSeconds": 5, "expect": [], "grpc": 1})");
    const kubernetes::Handler read =
        read_handler(hook, {.field = "lifecycle.postStart", .ports = {{"web", std::uint16_t{80}}}},
                     HandlerOwner::hook);
    REQUIRE(read);
    CHECK(std::get<HttpGetAction>(read.action) == HttpGetAction{.port = 80});
    CHECK(read.options.http.unix_socket == "/s");
    CHECK_FALSE(read.sleep);
    CHECK(read.ignored == Texts{"lifecycle.postStart.expect", "lifecycle.postStart.grpc",
                                "lifecycle.postStart.periodSeconds"});
    CHECK(read_handler(hook, {.ports = {{"web", std::uint16_t{80}}}, .strict = true},
                       HandlerOwner::hook)
              .errors == ConfigErrors{{".httpGet.unixSocket", "unknown field"},
                                      {".expect", "unknown field"},
                                      {".grpc", "unknown field"},
                                      {".periodSeconds", "unknown field"}});
}

TEST_CASE("a hook may sleep, a probe may not") {
    const auto read = [](const char* text, HandlerOwner owner) {
        return read_handler(json::parse(text), {}, owner);
    };
    const auto hook = read(R"({"sleep": {"seconds": 3, "x": 1}})", HandlerOwner::hook);
    REQUIRE(hook);
    CHECK(hook.sleep == 3);
    CHECK(hook.ignored == Texts{".sleep.x"});
    CHECK(read(R"({"sleep": {}})", HandlerOwner::hook).sleep == 0);
    CHECK(read(R"({"sleep": {"seconds": "3"}})", HandlerOwner::hook).errors ==
          ConfigErrors{{".sleep.seconds", R"(Invalid value: "3": must be an integer)"}});
    const auto both =
        read(R"({"sleep": {"seconds": 3}, "exec": {"command": ["x"]}})", HandlerOwner::hook);
    CHECK_FALSE(both.sleep);
    CHECK(both.errors ==
          ConfigErrors{{".sleep", "Forbidden: may not specify more than 1 handler type"}});
    const auto probe = read(R"({"sleep": {"seconds": 3}})", HandlerOwner::probe);
    CHECK(probe.errors == ConfigErrors{{"", "Required value: must specify a handler type"}});
    CHECK(probe.ignored == Texts{".sleep"});
}

TEST_CASE("the handler of a probe is read with what is expected of the response") {
    const auto probe = read_handler(json::parse(
        R"({"httpGet": {"port": 1}, "expect": [{"status": [200]}], "periodSeconds": 5})"));
    REQUIRE(probe);
    CHECK(probe.options.http.expect.size() == 1);
    CHECK(probe.ignored == Texts{".periodSeconds"});
}

TEST_CASE("both JSON types are read") {
    const auto text = R"({"httpGet": {"port": 1, "httpHeaders": [{"name": "A", "value": "b"}]},
        "expect": [{"body": 9, "jsonPointer": "/x", "equals": {"b": 1, "a": 2}}], "z": 1, "a": 2})";
    const auto sorted = read_probe(json::parse(text));
    const auto ordered = read_probe(nlohmann::ordered_json::parse(text));
    CHECK(write_probe(sorted.settings) == write_probe(ordered.settings));
    CHECK(sorted.ignored == Texts{".a", ".z"});
    CHECK(ordered.ignored == Texts{".z", ".a"}); // as the user wrote them
}

TEST_CASE("unknown fields are ignored at every level, and listed") {
    const auto probe = read_probe(json::parse(R"({
        "httpGet": {"port": 1, "prot": 2, "httpHeaders": [{"name": "A", "valeu": "b"}]},
        "pacing": {"jiter": "1s"}, "perodSeconds": 1, "exex": null})"),
                                  {.field = "p"});
    REQUIRE(probe);
    CHECK(probe.ignored == Texts{"p.httpGet.httpHeaders[0].valeu", "p.httpGet.prot",
                                 "p.pacing.jiter", "p.perodSeconds"});
}
