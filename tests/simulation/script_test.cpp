#include <probekit/simulation/script.hpp>

#include <chrono>
#include <system_error>

#include <catch2/catch_test_macros.hpp>

using namespace probekit;
using namespace probekit::simulation;
using namespace std::chrono_literals;

namespace {

Response at_age(const Responses& responses, Duration age) { return responses(Check{.age = age}); }

} // namespace

TEST_CASE("responses in turn go by the number of the attempt, and the last repeats") {
    const Responses responses = in_turn({fail(), pass(), hang()});
    CHECK(responses({.number = 1}) == fail());
    CHECK(responses({.number = 2, .run = 3}) == pass());
    CHECK(responses({.number = 3}) == hang());
    CHECK(responses({.number = 1000}) == hang());
    CHECK_FALSE(in_turn({}));
}

TEST_CASE("a phase includes the age at which it begins") {
    const Responses responses = by_age({{1s, fail()}, {2s, hang()}, {3s, pass()}});
    CHECK(at_age(responses, 0s) == pass());
    CHECK(at_age(responses, 1s - 1ns) == pass());
    CHECK(at_age(responses, 1s) == fail());
    CHECK(at_age(responses, 2s) == hang());
    CHECK(at_age(responses, 3s) == pass());
    CHECK(at_age(responses, 24h) == pass());
    CHECK(at_age(by_age({}), 1h) == pass());
}

TEST_CASE("targets that start slowly, and targets that become faulty") {
    CHECK(at_age(responds_after(40s), 40s - 1ns) == fail());
    CHECK(at_age(responds_after(40s), 40s) == pass());
    CHECK(at_age(responds_after(40s, hang()), 0s) == hang());
    CHECK(at_age(fails_after(30s), 30s - 1ns) == pass());
    CHECK(at_age(fails_after(30s), 30s) == fail());
    CHECK(at_age(fails_after(30s, hang()), 30s) == hang());
}

TEST_CASE("slow responses are the same, but take longer") {
    const Response response = at_age(slowly(5s, fails_after(1s)), 1s);
    CHECK(response.outcome == Outcome::failure);
    CHECK(response.takes == 5s);
    CHECK(at_age(slowly(5s, {}), 1s) == Response{.takes = 5s});
}

TEST_CASE("the named responses") {
    CHECK(pass().outcome == Outcome::success);
    CHECK(fail().outcome == Outcome::failure);
    CHECK(hang().takes == Duration::max());
    CHECK(prober_error(std::make_error_code(std::errc::too_many_files_open)).error);
    CHECK(always(fail())(Check{}) == fail());
    CHECK(ignores_sigterm().ends_in == Duration::max());
}
