#include "manifest/document.hpp"

#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "manifest/yaml.hpp"

using namespace supervisor;
using Json = nlohmann::ordered_json;

namespace {

/// The documents as compact JSON, or what is wrong.
std::vector<std::string> parsed(std::string_view text) {
    std::vector<std::string> documents;
    try {
        for (const Json& document : parse_documents(text)) documents.push_back(document.dump());
    } catch (const DocumentError& error) {
        documents.push_back(std::string{"error: "} + error.what());
    }
    return documents;
}

using Texts = std::vector<std::string>;

} // namespace

// The right-hand sides are what kubectl 1.32 made of these scalars.
TEST_CASE("plain YAML scalars get the types that kubectl gives them") {
    const auto [text, value] = GENERATE(table<std::string_view, std::string_view>({
        {"", "null"},
        {"~", "null"},
        {"NULL", "null"},
        {"nULL", "\"nULL\""},
        {"true", "true"},
        {"TRUE", "true"},
        {"tRUE", "\"tRUE\""},
        {"yes", "true"},
        {"Yes", "true"},
        {"y", "true"},
        {"on", "true"},
        {"On", "true"},
        {"no", "false"},
        {"n", "false"},
        {"off", "false"},
        {"False", "false"},
        {"5", "5"},
        {"+5", "5"},
        {"-5", "-5"},
        {"010", "8"},
        {"08", "8"},
        {"0o17", "15"},
        {"0x1F", "31"},
        {"-0x1F", "-31"},
        {"0b11", "3"},
        {"0x", "\"0x\""},
        {"1_000", "1000"},
        {"1__0", "10"},
        {"-0", "0"},
        {"1.0", "1"},
        {"1.", "1"},
        {".5", "0.5"},
        {"+.5", "0.5"},
        {"1e3", "1000"},
        {"1e+3", "1000"},
        {"123e-2", "1.23"},
        {"1.5e-7", "1.5e-07"},
        {"1:30", "\"1:30\""},
        {"2001-01-01", "\"2001-01-01\""},
        {"127.0.0.1", "\"127.0.0.1\""},
        {"1.2.3", "\"1.2.3\""},
        {"-", "\"-\""},
        {"+", "\"+\""},
        {".", "\".\""},
        {"-x", "\"-x\""},
        {"1e999", "\"1e999\""},
        {"5s", "\"5s\""},
        {"_1", "\"_1\""},
        {"9223372036854775807", "9223372036854775807"},
        {"-9223372036854775808", "-9223372036854775808"},
        {"18446744073709551615", "18446744073709551615"},
        {"12345678901234567890123", "1.2345678901234568e+22"},
        {"text", "\"text\""},
        {"/healthz", "\"/healthz\""},
    }));
    CAPTURE(text);
    CHECK(plain_scalar(text).dump() == value);
}

TEST_CASE("quoted scalars, blocks and tagged strings stay strings") {
    CHECK(parsed("[\"5\", 'yes', \"\", !!str 5, !!str yes, !!int \"7\", !!float 3]") ==
          Texts{R"(["5","yes","","5","yes",7,3])"});
    CHECK(parsed("a: |\n  5\nb: >-\n  true\n") == Texts{R"({"a":"5\n","b":"true"})"});
}

TEST_CASE("keys become strings") {
    CHECK(
        parsed("{1: a, on: b, 1.5: c, \"d\": d}") ==
        Texts{
            R"(error: is not valid JSON: parse error at line 1, column 2: syntax error while parsing object key - unexpected number literal; expected string literal)"});
    CHECK(parsed("1: a\non: b\n1.5: c\n\"d\": d\nn: e") ==
          Texts{R"({"1":"a","true":"b","1.5":"c","d":"d","false":"e"})"});
    CHECK(parsed("x: y\n[a]: b") == Texts{"error: line 2: a key must be a string"});
    CHECK(parsed("~: b") == Texts{"error: line 1: a key must be a string"});
}

TEST_CASE("anchors and merge keys are resolved") {
    CHECK(parsed("base: &b {x: 1, w: 2}\na: *b\nm:\n  w: 3\n  <<: *b\n  z: 4\n") ==
          Texts{R"({"base":{"x":1,"w":2},"a":{"x":1,"w":2},"m":{"w":3,"z":4,"x":1}})"});
    CHECK(parsed("p: &p {x: 1}\nq: &q {x: 2, w: 2}\nm: {<<: [*p, *q]}\n") ==
          Texts{R"({"p":{"x":1},"q":{"x":2,"w":2},"m":{"x":1,"w":2}})"});
    CHECK(parsed("m: {\"<<\": 1}") == Texts{R"({"m":{"<<":1}})"});
    CHECK(parsed("m:\n  <<: 5") ==
          Texts{"error: line 2: map merge requires map or sequence of maps as the value"});
}

TEST_CASE("a text may hold several documents, in YAML and JSON; empty ones are left out") {
    CHECK(parsed("a: 1\n---\nb: 2\n--- # three\nc: 3\n---\n---\n# nothing\n---\n{\"d\": "
                 "4}\n---\n\n  {\"e\": 5}\n") ==
          Texts{R"({"a":1})", R"({"b":2})", R"({"c":3})", R"({"d":4})", R"({"e":5})"});
    CHECK(parsed("---\na: 1\n...\n---\nb: 2\n") == Texts{R"({"a":1})", R"({"b":2})"});
    CHECK(parsed("") == Texts{});
    CHECK(parsed("# only a comment\n---\n") == Texts{});
    CHECK(parsed("a: |\n  ---x\n  text\n") == Texts{R"({"a":"---x\ntext\n"})"});
    CHECK(parsed("\xef\xbb\xbf{\"a\": 1}") == Texts{R"({"a":1})"});
    CHECK(parsed("a: 1\r\n---\r\nb: 2\r\n") == Texts{R"({"a":1})", R"({"b":2})"});
}

TEST_CASE("JSON keeps its own rules") {
    CHECK(parsed(R"({"a": "yes", "b": 010})") ==
          Texts{"error: is not valid JSON: parse error at line 1, column 21: syntax error while "
                "parsing object - "
                "unexpected number literal; "
                "expected '}'"});
    CHECK(parsed(R"({"a": "\ud83d\ude00", "b": 1.0})") ==
          Texts{"{\"a\":\"\U0001F600\",\"b\":1.0}"});
    CHECK(parsed("{\"a\": 1} x").front() == "error: is not valid JSON: parse error at line 1, "
                                            "column 2: syntax error while parsing value - "
                                            "invalid literal; last read: ' x'");
}

TEST_CASE("JSON objects may follow one another") {
    CHECK(parsed(R"( {"a": "}{\"}"} {"b": {}}
        {"c": [{}]} )") == Texts{R"({"a":"}{\"}"})", R"({"b":{}})", R"({"c":[{}]})"});
    CHECK(parsed("{}\n\n{\"a\":\n!}")
              .front()
              .starts_with("error: is not valid JSON: parse error at line 4"));
    CHECK(parsed("{\"a\": 1}}")
              .front()
              .starts_with("error: is not valid JSON: parse error at line 1"));
    CHECK(parsed("{\"a\": \"")
              .front()
              .starts_with("error: is not valid JSON: parse error at line 1"));
    CHECK(parsed("{\"a\": \"\\")
              .front()
              .starts_with("error: is not valid JSON: parse error at line 1"));
}

TEST_CASE("mistakes name the line of the whole text") {
    CHECK(parsed("a: 1\n---\nb: [1,\n").front().starts_with("error: line "));
    CHECK(parsed("a: 1\n---\nb: 1\nb: 2\n") ==
          Texts{"error: line 4: key \"b\" already set in map"});
    CHECK(parsed("a: 1\n---\n{\"b\":\n!}")
              .front()
              .starts_with("error: is not valid JSON: parse error at line 4"));
    CHECK(parsed("a: b: c").front() == "error: line 1: illegal map value");
    CHECK(parsed("a: *nowhere").front().starts_with("error: line 1"));
    CHECK(parsed("a: .nan") == Texts{"error: line 1: .nan is no value of JSON"});
}

TEST_CASE("duplicate keys are refused in JSON too, wherever they stand") {
    CHECK(parsed(R"({"a": {"b": 1, "b": 2}})") == Texts{"error: a.b: duplicate field"});
    CHECK(parsed(R"({"a": [{"b": 1}, {"b": 2}], "b": {"a": 1}})").front().starts_with("{"));
}

TEST_CASE("neither depth nor aliases can exhaust the machine") {
    const std::string deep_json =
        "{\"a\":" + std::string(100000, '[') + std::string(100000, ']') + "}";
    CHECK(parsed(deep_json).front().ends_with("[0]: is nested too deeply"));
    CHECK(parsed(std::string(100000, '[')).front().starts_with("error: "));
    std::string nested;
    for (int i = 0; i != 150; ++i) nested += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
    CHECK(parsed(nested).front().ends_with("nested too deeply"));

    std::string laughs = "a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n";
    for (int i = 1; i != 10; ++i) {
        const std::string inner = "*a" + std::to_string(i - 1);
        laughs += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + inner;
        for (int j = 1; j != 10; ++j) laughs += "," + inner;
        laughs += "]\n";
    }
    CHECK(parsed(laughs).front().ends_with("document contains excessive aliasing"));
    CHECK(parsed("a: &a [*a]").front().starts_with("error: "));
}
