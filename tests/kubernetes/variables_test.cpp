#include <probekit/kubernetes/variables.hpp>

#include <catch2/catch_test_macros.hpp>

using namespace probekit;
using kubernetes::expand_variables;

TEST_CASE("$(NAME) is replaced where it is set, and only there") {
    const kubernetes::Variables variables{{"A", "1"}, {"B", "$(A)"}, {"", "empty"}};
    CHECK(expand_variables("x$(A)y$(A)", variables) == "x1y1");
    CHECK(expand_variables("$(B)", variables) == "$(A)"); // values are not expanded again
    CHECK(expand_variables("$(C) $A ${A}", variables) == "$(C) $A ${A}");
    CHECK(expand_variables("$()", variables) == "empty");
    CHECK(expand_variables("", variables).empty());
    CHECK(expand_variables("$(A)", {}) == "$(A)");
}

TEST_CASE("$$ is a single $, so that a reference can be kept") {
    const kubernetes::Variables variables{{"A", "1"}};
    CHECK(expand_variables("$$(A) $$$(A) $$$$(A)", variables) == "$(A) $1 $$(A)");
    CHECK(expand_variables("kill -9 $$", variables) == "kill -9 $");
}

TEST_CASE("text that only begins like a reference stays") {
    const kubernetes::Variables variables{{"A", "1"}};
    CHECK(expand_variables("$", variables) == "$");
    CHECK(expand_variables("$(A", variables) == "$(A");
    CHECK(expand_variables("$(A $(A)", variables) == "$(A $(A)"); // the name is "A $(A"
    CHECK(expand_variables("a$", variables) == "a$");
}
