#include "manifest/validation.hpp"

#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <nlohmann/json.hpp>

using namespace supervisor;
using Json = nlohmann::ordered_json;

namespace {

using Check = void (*)(std::string_view, const std::string&, probekit::ConfigErrors&);

std::size_t mistakes(Check check, std::string_view text) {
    probekit::ConfigErrors errors;
    check(text, "f", errors);
    return errors.size();
}

std::string first_message(const probekit::ConfigErrors& errors) {
    return errors.empty() ? std::string{} : errors.front().message();
}

} // namespace

TEST_CASE("DNS labels") {
    for (const char* name : {"a", "0", "web-1", "a--b"})
        CHECK(mistakes(validate_dns_label, name) == 0);
    for (const char* name : {"", "-a", "a-", "Web", "a.b", "a_b", "\u00fc"})
        CHECK(mistakes(validate_dns_label, name) == 1);
    CHECK(mistakes(validate_dns_label, std::string(63, 'a')) == 0);
    CHECK(mistakes(validate_dns_label, std::string(64, 'a')) == 1);
    CHECK(mistakes(validate_dns_label, std::string(64, 'A')) == 2);

    probekit::ConfigErrors errors;
    validate_dns_label("My_Name", "spec.containers[0].name", errors);
    CHECK(first_message(errors) ==
          "spec.containers[0].name: Invalid value: \"My_Name\": a lowercase RFC 1123 label must "
          "consist of lower case "
          "alphanumeric characters or '-', and must start and end with an alphanumeric character "
          "(e.g. 'my-name',  or "
          "'123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')");
}

TEST_CASE("DNS subdomains") {
    for (const char* name : {"a", "a.b", "web-1.example.com"})
        CHECK(mistakes(validate_dns_subdomain, name) == 0);
    for (const char* name : {"", ".", "a.", ".a", "a..b", "-a.b", "a-.b", "A.b"})
        CHECK(mistakes(validate_dns_subdomain, name) == 1);
    CHECK(mistakes(validate_dns_subdomain, std::string(253, 'a')) == 0);
    CHECK(mistakes(validate_dns_subdomain, std::string(254, 'a')) == 1);
}

TEST_CASE("names of environment variables are printable ASCII without '='") {
    for (const char* name : {"A", "a.b-c", "1", "with space", "~!"})
        CHECK(mistakes(validate_env_name, name) == 0);
    for (const char* name : {"A=B", "=", "a\tb", "\u00fc", "\x7f"})
        CHECK(mistakes(validate_env_name, name) == 1);
}

TEST_CASE("labels have qualified names and short values") {
    const auto [labels, message] = GENERATE(table<std::string, std::string>({
        {R"({"app": "web", "app.kubernetes.io/name": "Web_1.2-x", "empty": "", "null": null, "A/b": "x"})",
         "f: Invalid value: \"A/b\": prefix part a lowercase RFC 1123 subdomain must consist of"},
        {R"({"app": "web", "app.kubernetes.io/name": "Web_1.2-x", "empty": "", "null": null})", ""},
        {R"({"": "x"})", "f: Invalid value: \"\": name part must be non-empty"},
        {R"({"a/": "x"})", "f: Invalid value: \"a/\": name part must be non-empty"},
        {R"({"/a": "x"})", "f: Invalid value: \"/a\": prefix part must be non-empty"},
        {R"({"a/b/c": "x"})",
         "f: Invalid value: \"a/b/c\": a qualified name must consist of alphanumeric characters"},
        {R"({"a b": "x"})",
         "f: Invalid value: \"a b\": name part must consist of alphanumeric characters"},
        {R"({"a": "-x"})",
         "f: Invalid value: \"-x\": a valid label must be an empty string or consist of"},
        {R"({"a": 1})", "f[a]: Invalid value: 1: must be a string"},
        {R"({"a": true})", "f[a]: Invalid value: true: must be a string"},
    }));
    CAPTURE(labels);
    probekit::ConfigErrors errors;
    validate_labels(Json::parse(labels), "f", errors);
    CHECK(first_message(errors).starts_with(message));
    CHECK(errors.empty() == message.empty());
}

TEST_CASE("annotations may have any text, and capital letters in their prefix") {
    probekit::ConfigErrors errors;
    validate_annotations(Json{{"Example.COM/x", std::string(5000, ' ')}, {"a", "-"}}, "f", errors);
    CHECK(errors.empty());
    validate_annotations(Json{{"a b", 5}}, "f", errors);
    REQUIRE(errors.size() == 2);
    CHECK(errors[1].message() == "f[a b]: Invalid value: 5: must be a string");
}

TEST_CASE("pod addresses must be loopback") {
    for (const char* address : {"127.0.0.1", "127.255.255.254", "::1", "0:0:0:0:0:0:0:1"}) {
        probekit::ConfigErrors errors;
        validate_loopback(address, "f", errors);
        CHECK(errors.empty());
    }
    for (const char* address :
         {"", "10.0.0.1", "126.0.0.1", "128.0.0.1", "127.0.0.1:80", "localhost", "::2", "127.1"}) {
        CAPTURE(address);
        probekit::ConfigErrors errors;
        validate_loopback(address, "f", errors);
        CHECK(errors.size() == 1);
    }
}

TEST_CASE("NUL is refused where a C string would end") {
    CHECK(mistakes(validate_no_nul, "a b\n") == 0);
    CHECK(mistakes(validate_no_nul, std::string_view{"a\0b", 3}) == 1);
}
