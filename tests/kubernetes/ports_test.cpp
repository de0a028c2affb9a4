#include <probekit/kubernetes/ports.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using namespace probekit::kubernetes;

TEST_CASE("port numbers are from 1 to 65535") {
    const auto [port, good] = GENERATE(table<std::int64_t, bool>({{-1, false},
                                                                  {0, false},
                                                                  {1, true},
                                                                  {80, true},
                                                                  {65535, true},
                                                                  {65536, false},
                                                                  {4294967376, false}}));
    CAPTURE(port);
    probekit::ConfigErrors errors;
    CHECK(validate_port_number(port, "p", errors) == good);
    CHECK(errors.empty() == good);
}

TEST_CASE("a port number that is wrong is named with its value") {
    probekit::ConfigErrors errors;
    validate_port_number(70000, "p", errors);
    REQUIRE(errors.size() == 1);
    CHECK(errors[0].message() == "p: Invalid value: 70000: must be between 1 and 65535, inclusive");
}

TEST_CASE("each broken rule of port names is an error of its own, in the API server's order") {
    const std::string long_one = "must be no more than 15 characters";
    const std::string characters =
        "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)";
    const std::string letter = "must contain at least one letter (a-z)";
    const std::string hyphens = "must not contain consecutive hyphens";
    const std::string edges = "must not begin or end with a hyphen";
    const auto [name, details] = GENERATE_COPY(table<std::string, std::vector<std::string>>({
        {"http", {}},
        {"a", {}},
        {"8-a-8", {}},
        {"exactly15chars0", {}},
        {"sixteen-chars-16", {long_one}},
        {"", {characters, letter}},
        {"8080", {letter}},
        {"HTTP", {characters, letter}},
        {"my_port", {characters}},
        {"a--b", {hyphens}},
        {"-a", {edges}},
        {"a-", {edges}},
        {"--", {letter, hyphens, edges}},
        {"-WAY--TOO-LONG-A-NAME-", {long_one, characters, letter, hyphens, edges}},
    }));
    CAPTURE(name);
    probekit::ConfigErrors errors;
    CHECK(validate_port_name(name, "p", errors) == details.empty());
    probekit::ConfigErrors expected;
    for (const std::string& detail : details)
        expected.push_back({"p", "Invalid value: \"" + name + "\": " + detail});
    CHECK(errors == expected);
}
