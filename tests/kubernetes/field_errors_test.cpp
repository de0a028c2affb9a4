#include <probekit/kubernetes/field_errors.hpp>

#include <catch2/catch_test_macros.hpp>

using probekit::go_quoted;
using namespace probekit::kubernetes;

TEST_CASE("errors are worded as the API server words them") {
    CHECK(required("a.b").message() == "a.b: Required value");
    CHECK(required("a.b", "say which").message() == "a.b: Required value: say which");
    CHECK(invalid("a", go_quoted("x"), "bad").message() == R"(a: Invalid value: "x": bad)");
    CHECK(invalid("a", -1, "bad").message() == "a: Invalid value: -1: bad");
    CHECK(not_supported("a", "x", {"B", "A"}).message() ==
          R"(a: Unsupported value: "x": supported values: "B", "A")");
    CHECK(forbidden("a", "not here").message() == "a: Forbidden: not here");
    CHECK(duplicate("a", "x").message() == R"(a: Duplicate value: "x")");
}
