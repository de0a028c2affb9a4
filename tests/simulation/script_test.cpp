#include <probekit/simulation/script.hpp>

#include <chrono>
#include <system_error>

#include <catch2/catch_test_macros.hpp>

using namespace probekit;
using namespace probekit::simulation;
using namespace std::chrono_literals;

namespace {

Answer at_age(const Answers& answers, Duration age) { return answers(Check{.age = age}); }

} // namespace

TEST_CASE("answers in turn are counted by the look's number, and the last repeats") {
    const Answers answers = in_turn({fail(), pass(), hang()});
    CHECK(answers({.number = 1}) == fail());
    CHECK(answers({.number = 2, .life = 3}) == pass());
    CHECK(answers({.number = 3}) == hang());
    CHECK(answers({.number = 1000}) == hang());
    CHECK_FALSE(in_turn({}));
}

TEST_CASE("an age belongs to the phase that begins with it") {
    const Answers answers = by_age({{1s, fail()}, {2s, hang()}, {3s, pass()}});
    CHECK(at_age(answers, 0s) == pass());
    CHECK(at_age(answers, 1s - 1ns) == pass());
    CHECK(at_age(answers, 1s) == fail());
    CHECK(at_age(answers, 2s) == hang());
    CHECK(at_age(answers, 3s) == pass());
    CHECK(at_age(answers, 24h) == pass());
    CHECK(at_age(by_age({}), 1h) == pass());
}

TEST_CASE("slow starters and targets that fall ill") {
    CHECK(at_age(answers_after(40s), 40s - 1ns) == fail());
    CHECK(at_age(answers_after(40s), 40s) == pass());
    CHECK(at_age(answers_after(40s, hang()), 0s) == hang());
    CHECK(at_age(fails_after(30s), 30s - 1ns) == pass());
    CHECK(at_age(fails_after(30s), 30s) == fail());
    CHECK(at_age(fails_after(30s, hang()), 30s) == hang());
}

TEST_CASE("slow answers are the same ones") {
    const Answer answer = at_age(slowly(5s, fails_after(1s)), 1s);
    CHECK(answer.outcome == Outcome::failure);
    CHECK(answer.takes == 5s);
    CHECK(at_age(slowly(5s, {}), 1s) == Answer{.takes = 5s});
}

TEST_CASE("the answers by name") {
    CHECK(pass().outcome == Outcome::success);
    CHECK(fail().outcome == Outcome::failure);
    CHECK(hang().takes == Duration::max());
    CHECK(cannot_ask(std::make_error_code(std::errc::too_many_files_open)).error);
    CHECK(always(fail())(Check{}) == fail());
    CHECK(ignores_sigterm().ends_in == Duration::max());
}
