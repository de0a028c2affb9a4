// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/core/actions.hpp>

#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using namespace probekit;

namespace {

std::vector<std::string> fields(const ConfigErrors& errors) {
    std::vector<std::string> names;
    for (const ConfigError& error : errors) names.push_back(error.field);
    return names;
}
using Fields = std::vector<std::string>;

const std::string nul(1, '\0');

} // namespace

static_assert(std::is_aggregate_v<ExecAction> && std::is_aggregate_v<TcpSocketAction> &&
              std::is_aggregate_v<HttpGetAction>);
static_assert(std::is_aggregate_v<ExecOptions> && std::is_aggregate_v<TcpOptions> &&
              std::is_aggregate_v<HttpOptions>);

TEST_CASE("Defaults are the kubelet's") {
    CHECK(HttpGetAction{}.path == "/");
    CHECK(HttpGetAction{}.scheme == HttpScheme::http);
    CHECK(ExecAction{}.inherit_environment);
    CHECK(ExecOptions{}.output_limit == 10240);
    CHECK(ExecOptions{}.kill_grace == Duration::zero());
    CHECK(HttpOptions{}.body_limit == 10240);
    CHECK(HttpOptions{}.max_requests == 10);
    CHECK(HttpOptions{}.redirects == Redirects::same_host);
    CHECK(HttpOptions{}.close == SocketClose::reset);
}

TEST_CASE("A command must be there, and nothing in it may hold a NUL") {
    CHECK(fields(validate(ExecAction{})) == Fields{"command"});
    CHECK(fields(validate(ExecOptions{.cgroup = std::string{"/a\0b", 4}})) == Fields{"cgroup"});
    CHECK(fields(validate(ExecAction{.command = {""}})) == Fields{"command[0]"});
    CHECK(validate(ExecAction{.command = {"test", ""}}).empty()); // an argument may be empty
    CHECK(fields(validate(ExecAction{.command = {"a" + nul, "b", "c" + nul}})) ==
          Fields{"command[0]", "command[2]"});
    CHECK(fields(validate(ExecAction{.command = {"a"}, .working_directory = "/tmp" + nul})) ==
          Fields{"working_directory"});
}

TEST_CASE("Environment entries are NAME=value") {
    const auto [entry, good] = GENERATE(
        std::pair<std::string, bool>{"A=b", true}, std::pair<std::string, bool>{"A=", true},
        std::pair<std::string, bool>{"A=b=c", true}, std::pair<std::string, bool>{"A", false},
        std::pair<std::string, bool>{"=b", false}, std::pair<std::string, bool>{"", false},
        std::pair<std::string, bool>{"A=b" + nul, false},
        std::pair<std::string, bool>{"A" + nul + "=b", false});
    CAPTURE(entry);
    const ConfigErrors errors =
        validate(ExecAction{.command = {"x"}, .environment = {"OK=1", entry}});
    CHECK(errors.empty() == good);
    if (!good) CHECK(fields(errors) == Fields{"environment[1]"});
}

TEST_CASE("A host is a host alone, and what else is in it is said to belong elsewhere") {
    struct Row {
        std::string host;
        std::string http;     ///< what HttpGetAction says after "must be a host alone: "
        std::string tcp = {}; ///< the same of TcpSocketAction and GrpcAction; empty: as http
    };
    const auto row = GENERATE(values<Row>({
        {"", ""},
        {"localhost", ""},
        {"127.0.0.1", ""},
        {"db_1.example.com.", ""},
        {"*", ""},
        {"::1", ""},
        {"[::1]", ""},
        {"::ffff:127.0.0.1", ""},
        {"fe80::1%eth0", ""},
        {"[fe80::1%25eth0]", ""},
        {"[", ""}, // no hosts, but none of these mistakes
        {"[::1", ""},
        {"::1]", ""},
        {"http://localhost", R"(write "localhost", and http as scheme)", R"(write "localhost")"},
        {"https://[::1]:8443/healthz",
         R"(write "::1", and 8443 as port, and https as scheme, and )"
         "/healthz as path",
         R"(write "::1", and 8443 as port)"},
        {"localhost:8080", R"(write "localhost", and 8080 as port)"},
        {"localhost:http", R"(write "localhost", and http as port)"},
        {"127.0.0.1:80", R"(write "127.0.0.1", and 80 as port)"},
        {"[::1]:80", R"(write "::1", and 80 as port)"},
        {"[::1]x", R"(write "::1")"},
        {"localhost:", R"(write "localhost")"},
        {"localhost/", R"(write "localhost")"},
        {"localhost/x?y", R"(write "localhost", and /x?y as path)", R"(write "localhost")"},
        {"10.0.0.0/8", R"(write "10.0.0.0", and /8 as path)", R"(write "10.0.0.0")"},
        {"::1/128", R"(write "::1", and /128 as path)", R"(write "::1")"},
        {"tcp://db:5432", R"(write "db", and 5432 as port, and tcp as scheme)",
         R"(write "db", and 5432 as port)"},
    }));
    CAPTURE(row.host);
    const auto expected = [](const std::string& text) {
        return text.empty() ? ConfigErrors{}
                            : ConfigErrors{{"host", "must be a host alone: " + text}};
    };
    const std::string& tcp = row.tcp.empty() ? row.http : row.tcp;
    CHECK(validate(HttpGetAction{.host = row.host, .port = 1}) == expected(row.http));
    CHECK(validate(TcpSocketAction{.host = row.host, .port = 1}) == expected(tcp));
    CHECK(validate(GrpcAction{.host = row.host, .port = 1}) == expected(tcp));
    CHECK(detail::validate_at(TcpSocketAction{.host = row.host, .port = 1}, {}, true).empty());
}

TEST_CASE("A port must be given, a host may be left out") {
    CHECK(fields(validate(TcpSocketAction{})) == Fields{"port"});
    CHECK(fields(validate(HttpGetAction{})) == Fields{"port"});
    CHECK(validate(TcpSocketAction{.port = 1}).empty());
    CHECK(validate(HttpGetAction{.host = "::1", .port = 65535}).empty());
    CHECK(fields(validate(TcpSocketAction{.host = "a\nb"})) == Fields{"host", "port"});
    CHECK(fields(validate(HttpGetAction{.host = "a" + nul})) == Fields{"host", "port"});
}

TEST_CASE("Header names are tokens") {
    const auto [name, good] = GENERATE(
        std::pair<std::string, bool>{"X-A", true},
        std::pair<std::string, bool>{"!#$%&'*+-.^_`|~09azAZ", true},
        std::pair<std::string, bool>{"", false}, std::pair<std::string, bool>{"X A", false},
        std::pair<std::string, bool>{"X:", false}, std::pair<std::string, bool>{"X\r\nY", false},
        std::pair<std::string, bool>{"X\t", false}, std::pair<std::string, bool>{"\xc3\xa4", false},
        std::pair<std::string, bool>{"X" + nul, false},
        std::pair<std::string, bool>{"\"X\"", false});
    CAPTURE(name);
    const ConfigErrors errors =
        validate(HttpGetAction{.port = 1, .headers = {{"Host", "x"}, {name, "v"}}});
    CHECK(errors.empty() == good);
    if (!good) CHECK(fields(errors) == Fields{"headers[1].name"});
}

TEST_CASE("Header values cannot break the line") {
    const auto [value, good] = GENERATE(
        std::pair<std::string, bool>{"", true}, std::pair<std::string, bool>{" padded ", true},
        std::pair<std::string, bool>{"\xc3\xa4\t;=", true},
        std::pair<std::string, bool>{"1\r\nX-B: 2", false},
        std::pair<std::string, bool>{"1\n", false}, std::pair<std::string, bool>{"1\r", false},
        std::pair<std::string, bool>{"a" + nul + "b", false});
    CAPTURE(value);
    const ConfigErrors errors = validate(HttpGetAction{.port = 1, .headers = {{"X-A", value}}});
    CHECK(errors.empty() == good);
    if (!good) CHECK(fields(errors) == Fields{"headers[0].value"});
}

TEST_CASE("A path is never rejected, and all mistakes are listed at once") {
    CHECK(validate(HttpGetAction{.port = 1, .path = "no slash\r\n%zz"}).empty());
    CHECK(validate(HttpGetAction{.port = 1, .path = ""}).empty());
    CHECK(fields(validate(HttpGetAction{.host = "\r", .headers = {{"", "\n"}}})) ==
          Fields{"host", "port", "headers[0].name", "headers[0].value"});
}

TEST_CASE("A ProbeAction is validated as the action that it holds") {
    CHECK(fields(validate(ProbeAction{ExecAction{}})) == Fields{"command"});
    CHECK(fields(validate(ProbeAction{TcpSocketAction{}})) == Fields{"port"});
    CHECK(validate(ProbeAction{HttpGetAction{.port = 80}}).empty());
    CHECK(fields(validate(ProbeAction{GrpcAction{.host = "a\nb"}})) == Fields{"host", "port"});
    CHECK(validate(ProbeAction{GrpcAction{.port = 80}}).empty());
}

TEST_CASE("The kubelet's user agent names its Kubernetes version") {
    CHECK(kubelet_user_agent(1, 35) == "kube-probe/1.35");
    CHECK(kubelet_user_agent(2, 0) == "kube-probe/2.0");
}

TEST_CASE("Actions are equal if all their fields are") {
    CHECK(ExecAction{.command = {"a"}} == ExecAction{.command = {"a"}});
    CHECK_FALSE(ExecAction{.command = {"a"}} ==
                ExecAction{.command = {"a"}, .inherit_environment = false});
    CHECK_FALSE(TcpSocketAction{.port = 1} == TcpSocketAction{.host = "h", .port = 1});
    CHECK_FALSE(HttpGetAction{.port = 1} == HttpGetAction{.port = 1, .headers = {{"A", "b"}}});
    CHECK_FALSE(ProbeAction{HttpGetAction{.port = 1}} == ProbeAction{TcpSocketAction{.port = 1}});
}
