#include "manifest/environment.hpp"

#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using supervisor::Environment;

TEST_CASE("references are expanded as Kubernetes does it") {
    supervisor::ExpansionBudget budget;
    Environment environment{budget};
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
    supervisor::ExpansionBudget budget;
    Environment environment{budget};
    environment.set("B", "1");
    environment.set("A", "2");
    environment.set("B", "3");
    CHECK(environment.entries() == std::vector<std::string>{"B=3", "A=2"});
    CHECK(environment.expand(std::vector<std::string>{"$(A)", "$(B)"}) ==
          std::vector<std::string>{"2", "3"});
}

TEST_CASE("references cannot make the variables larger than the budget") {
    supervisor::ExpansionBudget budget{.left = 1'000'000};
    Environment environment{budget};
    environment.set("A", std::string(1000, 'x'));
    std::string previous = "A";
    for (int i = 0; i != 60; ++i) {
        const std::string name = "A" + std::to_string(i);
        environment.set(name, environment.expand("$(" + previous + ")$(" + previous + ")"));
        previous = name;
    }
    CHECK(budget.left == 0);
    std::size_t size = 0;
    for (const std::string& entry : environment.entries()) size += entry.size();
    CHECK(size < 1'000'000);

    std::string unclosed;
    for (int i = 0; i != 500'000; ++i) unclosed += "$(";
    CHECK(environment.expand(unclosed) == unclosed);
}
