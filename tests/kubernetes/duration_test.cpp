#include <probekit/core/go_text.hpp>
#include <probekit/kubernetes/duration.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <tuple>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using namespace std::chrono_literals;
using probekit::Duration;
using probekit::kubernetes::parse_duration;

TEST_CASE("durations are read as Go writes them") {
    const auto [text, expected] = GENERATE(table<std::string_view, Duration>({
        {"0", 0s},
        {"0s", 0s},
        {"30s", 30s},
        {"5m", 5min},
        {"1h30m", 90min},
        {"1m20s", 80s},
        {"1.5s", 1500ms},
        {".5s", 500ms},
        {"1.s", 1s},
        {"250ms", 250ms},
        {"10us", 10us},
        {"10\u00b5s", 10us},
        {"7ns", 7ns},
        {"1.5h", 90min},
        {"0.000000001s", 1ns},
        {"0.0000000019s", 1ns},
        {"9223372036s", 9223372036s},
        {"9223372036.854775807s", Duration::max()},
    }));
    CAPTURE(text);
    CHECK(parse_duration(text) == std::optional{expected});
}

TEST_CASE("other texts, negative and too long durations give nothing") {
    const std::string_view text =
        GENERATE("", "5", "1.5", "s", ".s", "-1s", "+1s", "1x", "1s ", " 1s", "1 s", "1m2", "1..5s",
                 "9223372036.854775808s", "9223372037s", "2562048h", "99999999999999999999s");
    CAPTURE(text);
    CHECK_FALSE(parse_duration(text));
}

TEST_CASE("durations that the library writes are read back") {
    const Duration span = GENERATE(1ns, 999ns, 1us, 1500us, 1ms, 1s, 80s, 3661s,
                                   1234567890123456789ns, Duration::max());
    CHECK(parse_duration(probekit::go_duration(span)) == std::optional{span});
}

static_assert(parse_duration("1h2m3.004s") == 3723004ms);
