#include "manifest/options.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using namespace std::chrono_literals;
using namespace supervisor;
using Texts = std::vector<std::string>;

namespace {

Options parse(std::vector<const char*> arguments) { return parse_options(arguments); }

/// What the user reads.
std::string mistake(const std::vector<const char*>& arguments) {
    try {
        [[maybe_unused]] const Options options = parse_options(arguments);
    } catch (const UsageError& error) { return error.what(); }
    return "no error";
}

} // namespace

TEST_CASE("a file alone gives the defaults") {
    const Options options = parse({"pod.yaml"});
    CHECK(options.files == Texts{"pod.yaml"});
    CHECK(options.output == OutputFormat::text);
    CHECK(options.images.empty());
    CHECK(options.time_scale == 1);
    CHECK_FALSE(options.duration);
    CHECK_FALSE(options.pid_namespace);
    CHECK_FALSE(options.container_scoped_probes);
    CHECK(options.logs == LogTarget::prefix);
    CHECK_FALSE(options.help);
}

TEST_CASE("all options are understood, before and after files") {
    const Options options =
        parse({"a.yaml", "-o", "json", "--image", "nginx:1=bin/nginx -g 'daemon off;'",
               "--time-scale", "2.5", "-", "--duration", "1h30m", "--pid-namespace",
               "--feature-gates", "ContainerScopedProbes=true", "--logs", "out",
               "--image=demo=./demo --flag=x", "--", "-odd.yaml"});
    CHECK(options.files == Texts{"a.yaml", "-", "-odd.yaml"});
    CHECK(options.output == OutputFormat::json);
    CHECK(options.images.at("nginx:1") == Texts{"bin/nginx", "-g", "daemon off;"});
    CHECK(options.images.at("demo") == Texts{"./demo", "--flag=x"});
    CHECK(options.time_scale == 2.5);
    CHECK(options.duration == 90min);
    CHECK(options.pid_namespace);
    CHECK(options.container_scoped_probes);
    CHECK(options.logs == LogTarget::directory);
    CHECK(options.log_directory == "out");
}

TEST_CASE("every way of writing an output format is understood, and the last one counts") {
    const char* argument = GENERATE("-owide", "-o=wide", "--output=wide");
    CHECK(parse({"-o", "json", argument, "f"}).output == OutputFormat::wide);
    CHECK(parse({"--output", "text", "f"}).output == OutputFormat::text);
}

TEST_CASE("logs have three targets") {
    CHECK(parse({"--logs=none", "f"}).logs == LogTarget::none);
    CHECK(parse({"--logs=prefix", "f"}).logs == LogTarget::prefix);
    CHECK(parse({"--logs=DIR", "--logs=none", "f"}).log_directory.empty());
}

TEST_CASE("a feature gate can be switched on and off") {
    CHECK(parse({"--feature-gates=ContainerScopedProbes=True", "f"}).container_scoped_probes);
    CHECK_FALSE(parse({"--feature-gates=ContainerScopedProbes=1,ContainerScopedProbes=false", "f"})
                    .container_scoped_probes);
}

TEST_CASE("help needs no file") {
    CHECK(parse({"-h"}).help);
    CHECK(parse({"--help", "--nonsense"}).help);
    CHECK(usage().starts_with("Usage: supervisor [OPTIONS] FILE..."));
}

TEST_CASE("wrong usage is named") {
    const auto [arguments, message] = GENERATE(table<std::vector<const char*>, std::string>({
        {{"-o", "json"}, "no manifest given"},
        {{"-", "-"}, "standard input can be read only once"},
        {{"f", "-o"}, "-o needs a value"},
        {{"f", "-o", "yaml"}, "--output: \"yaml\" is none of text, wide and json"},
        {{"f", "--bogus"}, "unknown option --bogus"},
        {{"f", "-x"}, "unknown option -x"},
        {{"f", "--bogus=1"}, "unknown option --bogus"},
        {{"f", "--pid-namespace=yes"}, "--pid-namespace takes no value"},
        {{"f", "--time-scale", "0"}, "--time-scale: \"0\" is not a number from 0.001 to 1000000"},
        {{"f", "--time-scale", "-1"}, "--time-scale: \"-1\" is not a number from 0.001 to 1000000"},
        {{"f", "--time-scale", "10x"},
         "--time-scale: \"10x\" is not a number from 0.001 to 1000000"},
        {{"f", "--time-scale", "inf"},
         "--time-scale: \"inf\" is not a number from 0.001 to 1000000"},
        {{"f", "--time-scale", "nan"},
         "--time-scale: \"nan\" is not a number from 0.001 to 1000000"},
        {{"f", "--time-scale", "0.00099"},
         "--time-scale: \"0.00099\" is not a number from 0.001 to 1000000"},
        {{"f", "--time-scale", "1000001"},
         "--time-scale: \"1000001\" is not a number from 0.001 to 1000000"},
        {{"f", "--time-scale", "1e999"},
         "--time-scale: \"1e999\" is not a number from 0.001 to 1000000"},
        {{"f", "--time-scale="}, "--time-scale: \"\" is not a number from 0.001 to 1000000"},
        {{"f", "--duration", "soon"},
         "--duration: \"soon\" is not a duration like 30s, 5m, 1h30m or 90, of at most 876000h"},
        {{"f", "--duration", "876000h1ns"},
         "--duration: \"876000h1ns\" is not a duration like 30s, 5m, 1h30m or 90, of at most "
         "876000h"},
        {{"f", "--duration", "9999999999999999999"},
         "--duration: \"9999999999999999999\" is not a duration like 30s, 5m, 1h30m or 90, of at "
         "most 876000h"},
        {{"f", "--image", "nginx"}, "--image: \"nginx\" is not of the form NAME=COMMAND"},
        {{"f", "--image", "=x"}, "--image: \"=x\" is not of the form NAME=COMMAND"},
        {{"f", "--image", "nginx= "}, "--image: no command for image \"nginx\""},
        {{"f", "--image", "nginx='x"}, "--image: a quote is not closed in \"'x\""},
        {{"f", "--feature-gates", "Foo=true"}, "--feature-gates: unrecognized feature gate: Foo"},
        {{"f", "--feature-gates", "ContainerScopedProbes"},
         "--feature-gates: missing bool value for ContainerScopedProbes"},
        {{"f", "--feature-gates", "ContainerScopedProbes=maybe"},
         "--feature-gates: invalid value of ContainerScopedProbes=maybe"},
        {{"f", "--logs="}, "--logs: needs prefix, none or a directory"},
    }));
    CAPTURE(message);
    CHECK(mistake(arguments) == message);
    CHECK(mistake({}) == "no manifest given");
}

TEST_CASE("the bounds of numbers are within them, and in the help") {
    CHECK(parse({"--time-scale", "0.001", "f"}).time_scale == 0.001);
    CHECK(parse({"--time-scale", "1000000", "f"}).time_scale == 1e6);
    CHECK(parse({"--duration", "876000h", "f"}).duration == std::chrono::hours{876000});
    CHECK(parse({"--duration", "0", "f"}).duration == 0s);
    for (const char* bound : {"0.001", "1000000", "876000h"})
        CHECK(usage().find(bound) != std::string_view::npos);
}

TEST_CASE("durations are Go's or a bare number of seconds") {
    CHECK(parse_duration("30s") == 30s);
    CHECK(parse_duration("5m") == 5min);
    CHECK(parse_duration("1h30m") == 90min);
    CHECK(parse_duration("90") == 90s);
    CHECK(parse_duration("1.5") == 1500ms);
    CHECK(parse_duration("0") == 0s);
    for (const char* text : {"", ".", "-5", "5 s", "1h30", "1e3", "9223372037"}) {
        CAPTURE(text);
        CHECK_FALSE(parse_duration(text));
    }
}

TEST_CASE("unknown fields are errors unless another way is chosen, in kubectl's words") {
    const auto validation = [](const char* argument) {
        const std::vector<const char*> arguments{argument, "f"};
        return parse_options(arguments).validate;
    };
    CHECK(validation("--dry-run") == Validation::strict);
    CHECK(validation("--validate=strict") == Validation::strict);
    CHECK(validation("--validate=true") == Validation::strict);
    CHECK(validation("--validate=warn") == Validation::warn);
    CHECK(validation("--validate=ignore") == Validation::ignore);
    CHECK(validation("--validate=false") == Validation::ignore);
    CHECK_THROWS_AS(validation("--validate=no"), UsageError);
    const std::vector<const char*> version{"--version"};
    CHECK(parse_options(version).version);
    const std::vector<const char*> dry{"--dry-run", "f"};
    CHECK(parse_options(dry).dry_run);
}
