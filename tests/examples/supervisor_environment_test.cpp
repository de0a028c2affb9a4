#include "manifest/environment.hpp"

#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using supervisor::Environment;

TEST_CASE("references are expanded as Kubernetes does it") {
    Environment environment;
    environment.set("A", "one");
    environment.set("EMPTY", "");
    environment.set("REF", "$(A)");
    environment.set("with space", "two");
    const auto [text, expected] = GENERATE(table<std::string_view, std::string_view>({
        {"", ""},
        {"plain", "plain"},
        {"$(A)", "one"},
        {"x$(A)y$(A)", "xoneyone"},
        {"[$(EMPTY)]", "[]"},
        {"$(REF)", "$(A)"},
        {"$(with space)", "two"},
        {"$(MISSING)", "$(MISSING)"},
        {"$()", "$()"},
        {"$A ${A} $", "$A ${A} $"},
        {"$$(A)", "$(A)"},
        {"$$$(A)", "$one"},
        {"$$$$(A)", "$$(A)"},
        {"$$", "$"},
        {"$(A", "$(A"},
        {"$($(A)", "$($(A)"},
        {"$(A))", "one)"},
    }));
    CAPTURE(text);
    CHECK(environment.expand(text) == expected);
}

TEST_CASE("each variable is there once, with its last value, in the order of the first") {
    Environment environment;
    environment.set("B", "1");
    environment.set("A", "2");
    environment.set("B", "3");
    CHECK(environment.entries() == std::vector<std::string>{"B=3", "A=2"});
    CHECK(environment.expand(std::vector<std::string>{"$(A)", "$(B)"}) ==
          std::vector<std::string>{"2", "3"});
}
