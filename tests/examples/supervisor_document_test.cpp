#include "manifest/document.hpp"

#include <fstream>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "manifest/yaml.hpp"

using namespace supervisor;

namespace {

/// The documents as compact JSON, or what is wrong.
std::vector<std::string> parsed(std::string_view text) {
    std::vector<std::string> documents;
    try {
        const Documents read = parse_documents(text);
        for (const Document& document : read.all) documents.push_back(document.value.dump());
        for (const std::string& duplicate : read.duplicates)
            documents.push_back("error: " + duplicate);
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
            R"(error: line 1: is not valid JSON: syntax error while parsing object key - unexpected number literal; expected string literal)"});
    CHECK(parsed("1: a\non: b\n1.5: c\n\"d\": d\nn: e") ==
          Texts{R"({"1":"a","true":"b","1.5":"c","d":"d","false":"e"})"});
    CHECK(parsed("x: y\n[a]: b") == Texts{"error: line 2: a key must be a string"});
    CHECK(parsed("~: b") == Texts{"error: line 1: a key must be a string"});
}

TEST_CASE("anchors and merge keys are resolved") {
    CHECK(parsed("base: &b {x: 1, w: 2}\na: *b\nm:\n  w: 3\n  <<: *b\n  z: 4\n") ==
          Texts{R"({"base":{"x":1,"w":2},"a":{"x":1,"w":2},"m":{"w":2,"x":1,"z":4}})"});
    CHECK(parsed("p: &p {x: 1}\nq: &q {x: 2, w: 2}\nm: {<<: [*p, *q]}\n") ==
          Texts{R"({"p":{"x":1},"q":{"x":2,"w":2},"m":{"x":1,"w":2}})"});
    // As in kubectl, what stands later wins: a key of the map itself, or what is merged.
    CHECK(parsed("p: &p {x: 1}\nq: &q {x: 2}\nm: {<<: *p, <<: *q}\no: {<<: *p, x: 3}\n") ==
          Texts{R"({"p":{"x":1},"q":{"x":2},"m":{"x":2},"o":{"x":3}})"});
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
          Texts{"error: line 1: is not valid JSON: syntax error while "
                "parsing object - "
                "unexpected number literal; "
                "expected '}'"});
    CHECK(parsed(R"({"a": "\ud83d\ude00", "b": 1.0})") ==
          Texts{"{\"a\":\"\U0001F600\",\"b\":1.0}"});
    CHECK(parsed("{\"a\": 1} x").front() == "error: line 1: is not valid JSON: syntax "
                                            "error while parsing value - invalid literal; "
                                            "last read: 'x'");
}

TEST_CASE("JSON objects may follow one another") {
    CHECK(parsed(R"( {"a": "}{\"}"} {"b": {}}
        {"c": [{}]} )") == Texts{R"({"a":"}{\"}"})", R"({"b":{}})", R"({"c":[{}]})"});
    CHECK(parsed("{}\n\n{\"a\":\n!}").front().starts_with("error: line 4: is not valid JSON: "));
    CHECK(parsed("{\"a\": 1}}").front().starts_with("error: line 1: is not valid JSON: "));
    CHECK(parsed("{\"a\": \"").front().starts_with("error: line 1: is not valid JSON: "));
    CHECK(parsed("{\"a\": \"\\").front().starts_with("error: line 1: is not valid JSON: "));
}

TEST_CASE("mistakes name the line of the whole text") {
    CHECK(parsed("a: 1\n---\nb: [1,\n").front().starts_with("error: line "));
    CHECK(parsed("a: 1\n---\nb: 1\nb: 2\n") ==
          Texts{R"({"a":1})", R"({"b":2})", "error: line 4: key \"b\" already set in map"});
    CHECK(parsed("{\"a\":\n1}\n{\"b\":\n!}")
              .front()
              .starts_with("error: line 4: is not valid JSON: "));
    CHECK(parsed("{}\n---\na: 1\n---\nb: [") ==
          Texts{"error: line 5: did not find expected node content"});
    CHECK(parsed("a: b: c") ==
          Texts{"error: line 1: mapping values are not allowed in this context"});
    CHECK(parsed("x: 1\na: *nowhere") ==
          Texts{"error: line 2: unknown anchor \"nowhere\" referenced"});
    CHECK(parsed("a: 1\nnodeName: \"x") == Texts{"error: line 2: found unexpected end of stream"});
    CHECK(parsed("a: 1\nb:5") == Texts{"error: line 2: could not find expected ':'"});
    CHECK(parsed("a: 1\nb: \x01") == Texts{"error: line 2: control characters are not allowed"});
    CHECK(parsed("a: 1\n\xff: 1\n\xff: 2") == Texts{"error: line 2: invalid leading UTF-8 octet"});
    CHECK(parsed(",") == Texts{"error: line 1: did not find expected node content"});
    CHECK(parsed("&a,b").front().starts_with("error: line 1: "));
    CHECK(parsed("a: !!int abc") == Texts{"error: line 1: cannot decode `abc` as a !!int"});
    CHECK(parsed("a: !!binary _") ==
          Texts{"error: line 1: !!binary value contains invalid base64 data"});
    CHECK(parsed("--- a: 1\n") == Texts{"error: line 1: invalid Yaml document separator"});
    CHECK(parsed("a: .nan") == Texts{"error: line 1: .nan is no value of JSON"});
}

TEST_CASE("duplicate keys are refused in JSON too, wherever they stand") {
    CHECK(parsed("{\"a\": {\"b\": 1,\n\"b\": 2}}") ==
          Texts{R"({"a":{"b":2}})", "error: line 2: key \"b\" already set in map"});
    CHECK(parsed(R"({"a": [{"b": 1}, {"b": 2}], "b": {"a": 1}})").front().starts_with("{"));
}

TEST_CASE("neither depth nor aliases can exhaust the machine") {
    const std::string deep_json =
        "{\"a\":" + std::string(100000, '[') + std::string(100000, ']') + "}";
    CHECK(parsed(deep_json).front().ends_with("nested too deeply"));
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
    CHECK(parsed("a: &a [*a]") == Texts{"error: line 1: anchor \"a\" value contains itself"});

    std::string heavy = "s: &s \"" + std::string(1'000'000, 'x') + "\"\nl: [*s";
    for (int i = 1; i != 9000; ++i) heavy += ",*s";
    CHECK(parsed(heavy + "]\n") == Texts{"error: line 2: document contains excessive aliasing"});

    // Each alias puts what it stands for one level deeper than that was.
    std::string deeper = "a0: &a0 x\n";
    for (int i = 1; i != 200; ++i)
        deeper += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [*a" +
                  std::to_string(i - 1) + "]\n";
    CHECK(parsed(deeper).front().ends_with("nested too deeply"));
}

TEST_CASE("what would take quadratic time is read at once, or refused") {
    std::string keys;
    for (int i = 0; i != 100'000; ++i) keys += "k" + std::to_string(i) + ": 1\n";
    CHECK(parse_documents(keys).all.at(0).value.size() == 100'000);
    std::string json = "{";
    for (int i = 0; i != 100'000; ++i) json += "\"k" + std::to_string(i) + "\":1,";
    CHECK(parse_documents(json + "\"k\":1}").all.at(0).value.size() == 100'001);

    std::string separators;
    std::string objects;
    for (int i = 0; i != 100'000; ++i) {
        separators += "---\n";
        objects += "{}\n";
    }
    CHECK(parsed(separators + "x: 1") == Texts{R"({"x":1})"});
    CHECK(parsed(objects) == Texts{"error: line 10001: more than 10000 documents"});
    std::string directives;
    for (int i = 0; i != 1'000'000; ++i) directives += "%TAG !" + std::to_string(i) + "! x\n";
    CHECK(parsed(directives + "--- \na") == Texts{"error: line 101: more than 100 directives"});
    // Each tag would be given with all of the prefix that it stands for.
    CHECK(parsed("a: b\n---\n%TAG ! tag:" + std::string(300, 'x') + "\n---\n- !a\n") ==
          Texts{"error: line 3: a directive of more than 256 bytes"});
    // For each such colon the text is read again.
    std::string colons = "[";
    for (int i = 0; i != 100'000; ++i) colons += "a:,";
    CHECK(parsed(colons + "]") == Texts{"error: line 1: found unexpected ':'"});
    std::string values = "[";
    for (int i = 0; i != 1'000'001; ++i) values += "a,";
    CHECK(parsed(values + "]") == Texts{"error: line 1: more than 1000000 values"});
}

// Rows of real manifests that another YAML library read otherwise.
TEST_CASE("YAML is read as kubectl reads it") {
    const auto [text, expected] = GENERATE(table<std::string_view, std::string_view>({
        {"---\n{ apiVersion: \"v1\", metadata: {name: \"p\",}, }\n",
         R"({"apiVersion":"v1","metadata":{"name":"p"}})"},
        {"a: |\n  text", R"({"a":"text\n"})"},
        {"a: |-\n  text", R"({"a":"text"})"},
        {"a: [a, fd00::]", R"({"a":["a","fd00::"]})"},
        {"a: {host: fd00::, port: 80, x: [fe80::]}",
         R"({"a":{"host":"fd00::","port":80,"x":["fe80::"]}})"},
        {"{\"a\": 1}\n---\n{b: [c:, d:]}", "{\"a\":1}"},
        {"a: {periodSeconds:5}", R"({"a":{"periodSeconds:5":null}})"},
        {R"(a: "a\_b")", "{\"a\":\"a\u00a0b\"}"},
        {"a: !!binary aGVsbG8=", R"({"a":"hello"})"},
        {"a: !!binary |\n  aGVs\n  bG8=\n", R"({"a":"hello"})"},
        {"a: !foo 5", R"({"a":"5"})"},
        {"a: !!bool yes", R"({"a":true})"},
        {"\xef\xbb\xbf"
         "a: 1\r\n---\r\n\xef\xbb\xbf"
         "a: 2\r\n",
         R"({"a":1})"},
        {std::string_view{"\xff\xfe"
                          "a\0:\0 \0b\0",
                          10},
         R"({"a":"b"})"},
        {"a: 'it''s'\nb: \"\\u00e9\\n\"", "{\"a\":\"it's\",\"b\":\"\u00e9\\n\"}"},
        {"a: >\n  one\n  two\n\n  three\n", R"({"a":"one two\nthree\n"})"},
        {"? a\n: b", R"({"a":"b"})"},
        {"%YAML 1.1\n---\na: 1", R"({"a":1})"},
        {"a:\tb\nc: [\td\t]\n", R"({"a":"b","c":["d"]})"},
        {"---foo", R"("---foo")"},
    }));
    CAPTURE(text);
    CHECK(parsed(text).front() == expected);
}

// The right-hand sides are what the real kubectl made of these texts: see kubectl_yaml.py.
TEST_CASE("texts are read, or refused, as kubectl has read or refused them") {
    std::ifstream file{TEST_DATA "/kubectl_yaml.json"};
    const nlohmann::json cases = nlohmann::json::parse(file);
    CHECK(cases.size() > 80);
    for (const nlohmann::json& one : cases) {
        const nlohmann::json expected = one.value("here", one["kubectl"]);
        CAPTURE(one["text"], expected);
        nlohmann::json read;
        try {
            read = nlohmann::json::array();
            for (const Document& document :
                 parse_documents(one["text"].get_ref<const std::string&>()).all)
                read.push_back(nlohmann::json::parse(document.value.dump()));
        } catch (const DocumentError&) { read = nullptr; }
        CHECK(read == expected);
    }
}
