#include <string>
#include <string_view>
#include <tuple>
#include <variant>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <probekit/kubernetes/probe_json.hpp>

using namespace probekit;
using kubernetes::parse_probe;
using Texts = std::vector<std::string>;

namespace {

Texts messages(std::string_view text, const kubernetes::ReadOptions& options = {.field = "p"}) {
    Texts result;
    for (const ConfigError& error : parse_probe(text, options).errors)
        result.push_back(error.message());
    return result;
}

std::string repeated(std::string_view text, int times) {
    std::string result;
    for (int i = 0; i != times; ++i) result += text;
    return result;
}

} // namespace

TEST_CASE("a probe is read from JSON text") {
    const auto probe = parse_probe(
        R"({"tcpSocket": {"port": 1}, "periodSeconds": 3, "x": [1.5, -1, true, null, "s"]})");
    REQUIRE(probe);
    CHECK(std::get<TcpSocketAction>(probe.settings.action) == TcpSocketAction{.port = 1});
    CHECK(probe.settings.spec.period == std::chrono::seconds{3});
    CHECK(probe.ignored == Texts{".x"});
}

TEST_CASE("JSON text becomes a value of either type, with its mistakes listed") {
    ConfigErrors errors;
    const auto ordered = kubernetes::parse_json<nlohmann::ordered_json>(
        R"({"b": [1, {"c": 2}], "a": 3})", "", errors);
    REQUIRE(ordered);
    CHECK(ordered->dump() == R"({"b":[1,{"c":2}],"a":3})");
    CHECK(errors.empty());
    const auto twice = kubernetes::parse_json(R"({"a": {"b": 1, "b": 2}})", "x", errors);
    REQUIRE(twice);
    CHECK(twice->dump() == R"({"a":{"b":2}})");
    CHECK(errors == ConfigErrors{{"x.a.b", "duplicate field"}});
    CHECK_FALSE(kubernetes::parse_json("{", "x", errors));
    CHECK(errors.size() == 2);
    const auto ordered_twice = kubernetes::parse_json<nlohmann::ordered_json>(
        R"({"b": {"x": 1}, "a": [2], "b": {"y": {"z": 3}, "y": 4}})", "x", errors);
    REQUIRE(ordered_twice);
    CHECK(ordered_twice->dump() == R"({"b":{"y":4},"a":[2]})");
    CHECK(errors.size() == 4);
}

TEST_CASE("JSON text with many names takes time in proportion to it") {
    std::string text = "{";
    for (int i = 0; i != 200'000; ++i) text += "\"k" + std::to_string(i) + "\":1,";
    ConfigErrors errors;
    const auto ordered =
        kubernetes::parse_json<nlohmann::ordered_json>(text + "\"k\":1}", "x", errors);
    REQUIRE(ordered);
    CHECK(ordered->size() == 200'001);
    CHECK(errors.empty());
}

TEST_CASE("text that is no JSON is an error with its place, and nothing is thrown") {
    const auto [text, expected] = GENERATE(table<std::string, std::string>({
        {"", "p: is not valid JSON: parse error at line 1, column 1: "},
        {"{", "p: is not valid JSON: parse error at line 1, column 2: "},
        {"{\"a\":\n 1,}", "p: is not valid JSON: parse error at line 2, column 4: "},
        {"{} {}", "p: is not valid JSON: parse error at line 1, column 4: "},
        {"{'a': 1}", "p: is not valid JSON: parse error at line 1, column 2: "},
        {"{\"a\": \"\xff\"}", "p: is not valid JSON: parse error at line 1, column 8: "},
        {"{\"a\": 01}", "p: is not valid JSON: parse error at line 1, column 8: "},
        {"{\"a\": 1e999}", "p: is not valid JSON: number overflow parsing '1e999'"},
        {"{\"a\": NaN}", "p: is not valid JSON: parse error at line 1, column 7: "},
        {"tcpSocket:\n  port: 80\n", "p: is not valid JSON: parse error at line 1, column 2: "},
    }));
    CAPTURE(text);
    const Texts got = messages(text);
    REQUIRE(got.size() == 1);
    CHECK(got[0].substr(0, expected.size()) == expected);
}

TEST_CASE("the error for a long invalid token is short") {
    const Texts got = messages("{\"a\": x" + std::string(100'000, 'y'));
    REQUIRE(got.size() == 1);
    CHECK(got[0].size() < 400);
}

TEST_CASE("a name given twice is an error wherever it stands, and the last one counts") {
    CHECK(
        messages(
            R"({"tcpSocket": {"port": 1, "port": 2}, "periodSeconds": 1, "periodSeconds": -1})") ==
        Texts{"p.tcpSocket.port: duplicate field", "p.periodSeconds: duplicate field",
              "p.periodSeconds: Invalid value: -1: must be greater than or equal to 0"});
    CHECK(
        messages(
            R"({"httpGet": {"port": 1, "httpHeaders": [{"name": "A"}, {"name": "B", "name": "C"}]}})") ==
        Texts{"p.httpGet.httpHeaders[1].name: duplicate field"});
    CHECK(messages(R"({"exec": {"command": ["x"]}, "exec": {"command": ["y"]}})") ==
          Texts{"p.exec: duplicate field"});
    CHECK(messages(R"({"tcpSocket": {"port": 1}, "x": [[{"a": 1, "a": null}]]})") ==
          Texts{"p.x[0][0].a: duplicate field"});
}

TEST_CASE("deep nesting is an error and does not exhaust the stack") {
    constexpr int allowed = 64;
    CHECK(messages(R"({"tcpSocket": {"port": 1}, "x": )" + repeated("[", allowed - 1) +
                   repeated("]", allowed - 1) + "}")
              .empty());
    const Texts got = messages(R"({"tcpSocket": {"port": 1}, "x": )" + repeated("[", 1'000'000));
    REQUIRE(got.size() == 1);
    CHECK(got[0] == "p.x" + repeated("[0]", allowed - 1) + ": is nested too deeply");
    const Texts objects = messages(repeated(R"({"a":)", 1'000'000));
    REQUIRE(objects.size() == 1);
    CHECK(objects[0] == "p" + repeated(".a", allowed) + ": is nested too deeply");
}

TEST_CASE("a deeply nested value of the wrong type is shown short") {
    nlohmann::json deep = nlohmann::json::array();
    for (int i = 0; i != 1000; ++i) deep = nlohmann::json::array({deep});
    const nlohmann::json probe{{"tcpSocket", deep}, {"periodSeconds", {{"a", deep}}}};
    Texts got;
    for (const ConfigError& error : kubernetes::read_probe(probe, {.field = "p"}).errors)
        got.push_back(error.message());
    CHECK(got == Texts{"p.tcpSocket: Invalid value: [...]: must be an object",
                       "p.periodSeconds: Invalid value: {...}: must be an integer"});
}

TEST_CASE("numbers that do not fit are errors") {
    CHECK(messages(
              R"({"tcpSocket": {"port": 1}, "periodSeconds": 123456789012345678901234567890})") ==
          Texts{"p.periodSeconds: Invalid value: 1.2345678901234568e+29: must be an integer"});
    CHECK(messages(R"({"tcpSocket": {"port": 1e2}})") ==
          Texts{"p.tcpSocket.port: Invalid value: 100.0: must be an integer or a string"});
    CHECK(messages(R"({"tcpSocket": {"port": 18446744073709551615}})") ==
          Texts{"p.tcpSocket.port: Invalid value: 18446744073709551615: must fit in 32 bits"});
    CHECK(messages(R"({"tcpSocket": {"port": -9223372036854775808}})") ==
          Texts{"p.tcpSocket.port: Invalid value: -9223372036854775808: must fit in 32 bits"});
}
