#include <probekit/simulation/timeline.hpp>

#include <chrono>
#include <set>
#include <string_view>
#include <system_error>
#include <vector>

#include <catch2/catch_test_macros.hpp>

using namespace probekit;
using namespace probekit::simulation;
using namespace std::chrono_literals;
using What = Event::What;

TEST_CASE("a timeline gives the times of its events") {
    const Timeline timeline{
        .events = {
            {.what = What::running, .at = 1s},
            {.what = What::check, .at = 3s, .kind = ProbeKind::liveness, .span = 500ms},
            {.what = What::check, .at = 4s, .kind = ProbeKind::readiness},
            {.what = What::running, .at = 43s, .run = 2},
            {.what = What::running, .at = 85s, .run = 3},
        }};
    CHECK(timeline.times(What::running) == std::vector<Duration>{1s, 43s, 85s});
    CHECK(timeline.restarts() == std::vector<Duration>{43s, 85s});
    CHECK(timeline.first(What::running) == 1s);
    CHECK_FALSE(timeline.first(What::kill));
    REQUIRE(timeline.checks(ProbeKind::liveness).size() == 1);
    CHECK(timeline.checks(ProbeKind::liveness)[0].began() == 2500ms);
    CHECK(timeline.checks(ProbeKind::startup).empty());
    CHECK(Timeline{}.restarts().empty());
}

TEST_CASE("an attempt has passed with a success or a warning, and no error") {
    CHECK(Event{.outcome = Outcome::success}.passed());
    CHECK(Event{.outcome = Outcome::warning}.passed());
    CHECK_FALSE(Event{.outcome = Outcome::failure}.passed());
    CHECK_FALSE(Event{.outcome = Outcome::unknown}.passed());
    CHECK_FALSE(Event{.outcome = Outcome::success,
                      .error = std::make_error_code(std::errc::operation_canceled)}
                    .passed());
}

TEST_CASE("every event has its name") {
    std::set<std::string_view> names;
    for (int what = 0; what <= static_cast<int>(What::over); ++what)
        names.insert(to_string(static_cast<What>(what)));
    CHECK(names.size() == static_cast<std::size_t>(What::over) + 1);
    CHECK(names.contains("back_off"));
}
