// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/core/observer.hpp>

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <catch2/catch_test_macros.hpp>

using namespace probekit;

namespace {

struct All {
    std::vector<std::string>* seen;
    void attempt_begun(const AttemptBegun&) { seen->push_back("begun"); }
    void attempt_ended(const AttemptEnded&) { seen->push_back("ended"); }
    void verdict_changed(const Verdict&) { seen->push_back("verdict"); }
    void state_changed(const StateChanged&) { seen->push_back("state"); }
    void checks_skipped(const ChecksSkipped&) { seen->push_back("skipped"); }
};
struct VerdictsOnly {
    int count = 0;
    void verdict_changed(const Verdict&) { ++count; }
};
struct ByValue {
    void attempt_begun(AttemptBegun) {}
};
struct Anything {
    void state_changed(const auto&) {}
};
struct Final final {
    void checks_skipped(const ChecksSkipped&) {}
};
struct MoveOnly {
    std::unique_ptr<int> count = std::make_unique<int>(0);
    void verdict_changed(const Verdict&) { ++*count; }
};
struct Returning {
    [[maybe_unused]] int attempt_begun(const AttemptBegun&) noexcept { return 1; }
};

struct NoHooks {};
struct WrongArgument {
    void attempt_begun(int) {}
};
struct ByReference { // would change what others see
    void verdict_changed(Verdict&) {}
};
struct OneRightOneWrong {
    void verdict_changed(const Verdict&) {}
    void state_changed() {}
};
struct Private {
    void verdict_changed(const Verdict&) {}

private:
    void state_changed(const StateChanged&) {}
};
struct Immovable {
    Immovable(const Immovable&) = delete;
    void verdict_changed(const Verdict&) {}
};

} // namespace

static_assert(Observer<All> && Observer<VerdictsOnly> && Observer<ByValue> && Observer<Anything> &&
              Observer<Final> && Observer<MoveOnly> && Observer<Returning>);
static_assert(Observer<NoObserver>);
static_assert(Observer<std::reference_wrapper<All>> &&
              Observer<std::reference_wrapper<NoObserver>>);
static_assert(!Observer<NoHooks> && !Observer<std::reference_wrapper<NoHooks>> && !Observer<int>);
static_assert(!Observer<WrongArgument> && !Observer<ByReference> && !Observer<OneRightOneWrong> &&
              !Observer<Private>);
static_assert(!Observer<Immovable> && Observer<std::reference_wrapper<Immovable>>);
static_assert(std::is_empty_v<NoObserver>);

TEST_CASE("Observers calls each observer in order, each with its own hooks") {
    std::vector<std::string> seen;
    VerdictsOnly counter;
    Observers both{All{&seen}, std::ref(counter), VerdictsOnly{}};
    static_assert(Observer<decltype(both)>);
    const ProbeResult result;
    both.attempt_begun({});
    both.attempt_ended({.result = result});
    both.verdict_changed({});
    both.state_changed({});
    both.checks_skipped({});
    CHECK(seen == std::vector<std::string>{"begun", "ended", "verdict", "state", "skipped"});
    CHECK(counter.count == 1);
    CHECK(both.get<1>().count == 1);
    CHECK(both.get<2>().count == 1);
}

TEST_CASE("Observers has only the hooks that one of them has") {
    using Two = Observers<VerdictsOnly, Final>;
    static_assert(Observer<Two>);
    static_assert(detail::SeesVerdictChanged<Two> && detail::SeesChecksSkipped<Two>);
    static_assert(!detail::SeesAttemptBegun<Two> && !detail::SeesAttemptEnded<Two> &&
                  !detail::SeesStateChanged<Two>);
    static_assert(Observer<Observers<Two, NoObserver, std::reference_wrapper<Two>>>);
    static_assert(!Observer<Observers<NoObserver>>);

    Observers nested{Two{VerdictsOnly{}, Final{}}, MoveOnly{}};
    nested.verdict_changed({});
    CHECK(nested.get<0>().get<0>().count == 1);
    const auto moved = std::move(nested);
    (void)moved;
}

TEST_CASE("An observer without a hook is not notified, and std::ref is unwrapped") {
    VerdictsOnly counter;
    NoObserver none;
    auto shared = std::ref(counter);
    detail::notify(counter, AttemptBegun{});
    detail::notify(none, Verdict{});
    detail::notify(shared, Verdict{});
    detail::notify(counter, Verdict{});
    CHECK(counter.count == 2);
    CHECK(&detail::unwrapped(shared) == &counter);
    CHECK(&detail::unwrapped(counter) == &counter);
}
