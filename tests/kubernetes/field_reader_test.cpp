#include <probekit/kubernetes/field_reader.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

using namespace probekit::kubernetes;
using Json = nlohmann::ordered_json;
using Texts = std::vector<std::string>;

TEST_CASE("fields of the right type are given, null counts as not given") {
    const Json json =
        Json::parse(R"({"s": "x", "n": 7, "b": true, "o": {}, "a": ["p", null], "z": null})");
    probekit::ConfigErrors errors;
    FieldReader reader{json, "at", errors};
    CHECK(reader.text("s") == "x");
    CHECK(reader.int32("n") == 7);
    CHECK(reader.int64("n") == 7);
    CHECK(reader.boolean("b") == true);
    CHECK(reader.object("o") != nullptr);
    CHECK(reader.texts("a") == Texts{"p", ""});
    CHECK(reader.find("z") == nullptr);
    CHECK_FALSE(reader.text("z"));
    CHECK_FALSE(reader.text("missing"));
    CHECK(reader.texts("missing").empty());
    CHECK(errors.empty());
}

TEST_CASE("fields of the wrong type are named with path and value") {
    const Json json = Json::parse(
        R"({"s": 1, "n": "7", "b": 0, "o": [1,{"k":null}], "a": {}, "e": ["x", 2], "f": 1.0})");
    probekit::ConfigErrors errors;
    FieldReader reader{json, "at", errors};
    CHECK_FALSE(reader.text("s"));
    CHECK_FALSE(reader.int32("n"));
    CHECK_FALSE(reader.boolean("b"));
    CHECK(reader.object("o") == nullptr);
    CHECK(reader.array("a") == nullptr);
    CHECK(reader.texts("e") == Texts{"x", ""});
    CHECK_FALSE(reader.int32("f"));
    Texts messages;
    for (const auto& error : errors) messages.push_back(error.message());
    CHECK(messages == Texts{
                          R"(at.s: Invalid value: 1: must be a string)",
                          R"(at.n: Invalid value: "7": must be an integer)",
                          R"(at.b: Invalid value: 0: must be a boolean)",
                          R"(at.o: Invalid value: [1,{"k":null}]: must be an object)",
                          R"(at.a: Invalid value: {}: must be an array)",
                          R"(at.e[1]: Invalid value: 2: must be a string)",
                          R"(at.f: Invalid value: 1.0: must be an integer)",
                      });
}

TEST_CASE("integers that do not fit are named, at the edges exactly") {
    const Json json = Json::parse(
        R"({"most": 2147483647, "more": 2147483648, "least": -2147483648, "less": -2147483649,
                                      "big": 9223372036854775807, "bigger": 9223372036854775808, "huge": 1e99})");
    probekit::ConfigErrors errors;
    FieldReader reader{json, "", errors};
    CHECK(reader.int32("most") == 2147483647);
    CHECK(reader.int32("least") == -2147483648);
    CHECK(reader.int64("big") == 9223372036854775807);
    CHECK(errors.empty());
    CHECK_FALSE(reader.int32("more"));
    CHECK_FALSE(reader.int32("less"));
    CHECK_FALSE(reader.int64("bigger"));
    CHECK_FALSE(reader.int64("huge"));
    REQUIRE(errors.size() == 4);
    CHECK(errors[0].message() == ".more: Invalid value: 2147483648: must fit in 32 bits");
    CHECK(errors[1].message() == ".less: Invalid value: -2147483649: must fit in 32 bits");
    CHECK(errors[2].message() ==
          ".bigger: Invalid value: 9223372036854775808: must fit in 64 bits");
    CHECK(errors[3].message() == ".huge: Invalid value: 1e+99: must be an integer");
}

TEST_CASE("what is not an object is named once and has no fields") {
    for (const Json& json : {Json("text"), Json(1), Json::array({1})}) {
        probekit::ConfigErrors errors;
        FieldReader reader{json, "at", errors};
        CHECK(reader.find("x") == nullptr);
        CHECK_FALSE(reader.text("x"));
        CHECK(reader.others().empty());
        REQUIRE(errors.size() == 1);
        CHECK(errors[0].field == "at");
        CHECK(errors[0].detail.ends_with("must be an object"));
    }
    probekit::ConfigErrors errors;
    FieldReader reader{Json(), "at", errors};
    CHECK(errors.empty());
}

TEST_CASE("fields that were not read are listed in the order of the object") {
    const Json json = Json::parse(R"({"z": 1, "a": 2, "asked": 3, "null": null, "m": {}})");
    probekit::ConfigErrors errors;
    FieldReader reader{json, "at", errors};
    CHECK(reader.int32("asked") == 3);
    CHECK(reader.others() == Texts{"z", "a", "m"});
    Json others = Json::object();
    reader.for_each_other(
        [&](const std::string& name, const Json& value) { others[name] = value; });
    CHECK(others.dump() == R"({"z":1,"a":2,"m":{}})");
}

TEST_CASE("values in messages are bounded and never throw") {
    CHECK(shown(Json(std::string(1000, 'x'))).size() == 203);
    CHECK(shown(Json(Texts(1000, "x"))).size() == 203);
    CHECK(shown(Json::array({"\xff"})) == "[\"\xef\xbf\xbd\"]");
}
