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

TEST_CASE("a timeline is asked for moments") {
    const Timeline timeline{
        .events = {
            {.what = What::runs, .at = 1s},
            {.what = What::check, .at = 3s, .kind = ProbeKind::liveness, .span = 500ms},
            {.what = What::check, .at = 4s, .kind = ProbeKind::readiness},
            {.what = What::runs, .at = 43s, .life = 2},
            {.what = What::runs, .at = 85s, .life = 3},
        }};
    CHECK(timeline.times(What::runs) == std::vector<Duration>{1s, 43s, 85s});
    CHECK(timeline.restarts() == std::vector<Duration>{43s, 85s});
    CHECK(timeline.first(What::runs) == 1s);
    CHECK_FALSE(timeline.first(What::kill));
    REQUIRE(timeline.checks(ProbeKind::liveness).size() == 1);
    CHECK(timeline.checks(ProbeKind::liveness)[0].began() == 2500ms);
    CHECK(timeline.checks(ProbeKind::startup).empty());
    CHECK(Timeline{}.restarts().empty());
}

TEST_CASE("a look has passed if it was made and found nothing wrong") {
    CHECK(Event{.outcome = Outcome::success}.passed());
    CHECK(Event{.outcome = Outcome::warning}.passed());
    CHECK_FALSE(Event{.outcome = Outcome::failure}.passed());
    CHECK_FALSE(Event{.outcome = Outcome::unknown}.passed());
    CHECK_FALSE(Event{.outcome = Outcome::success,
                      .error = std::make_error_code(std::errc::operation_canceled)}
                    .passed());
}

TEST_CASE("everything that may happen has its name") {
    std::set<std::string_view> names;
    for (int what = 0; what <= static_cast<int>(What::over); ++what)
        names.insert(to_string(static_cast<What>(what)));
    CHECK(names.size() == static_cast<std::size_t>(What::over) + 1);
    CHECK(names.contains("back_off"));
}
