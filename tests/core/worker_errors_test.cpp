// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/core/worker_fsm.hpp>

#include <cstddef>
#include <cstdio>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "../tools/printing.hpp"

// Prober errors: when a worker's health becomes unknown because of them, what ends that, and what
// is told of it. A table for people, and an oracle that reads the history from the back.
namespace {

using namespace probekit;
using namespace std::chrono_literals;

/// What happens, as one letter. A check is its attempts up to the last:
///   S  starts    X  stops    N  new target    G  target gone    K  target back    T  terminating
///   +  passes    -  fails    r  errs, then passes at its second attempt
///   e  errs three times      l  the same, the last time for want of a descriptor
///   c  errs once, and the second attempt is cancelled: the worker is paused
///   g  errs once, while its gate is closed: there is no second attempt
constexpr std::string_view alphabet = "SXNGKT+-relcg";

const std::error_code not_found = std::make_error_code(std::errc::no_such_file_or_directory);
const std::error_code no_descriptor = std::make_error_code(std::errc::too_many_files_open);

struct Told {
    Health health = Health::unknown;
    Health previous = Health::unknown;
    Verdict::Origin origin = Verdict::Origin::result;

    friend bool operator==(const Told&, const Told&) = default;
};

/// WorkerFsm with a caller that begins each attempt at once; a period passes with each letter.
struct Machine {
    WorkerFsm<> fsm;
    TimePoint now{};
    std::optional<Told> told = {}; ///< by the letter before

    void step(const WorkerEvent& event) {
        const Decision decision = fsm.step(event, now);
        if (decision.cancel) step(event::AttemptCancelled{});
        if (!decision.changed) return;
        CHECK_FALSE(told); // no letter changes the health twice
        told = {decision.health, decision.previous, decision.origin};
    }

    void check(std::string_view attempts) {
        if (!fsm.in_flight()) step(event::Due{});
        if (!fsm.in_flight()) return;
        for (const char attempt : attempts) {
            switch (attempt) {
            case '+': step(event::Result{ProbeResult::success()}); break;
            case '-': step(event::Result{ProbeResult::failure(std::string{"no"})}); break;
            case 'l': step(event::Error{no_descriptor}); break;
            default: step(event::Error{not_found}); break;
            }
        }
    }

    void happen(char letter) {
        now += 10s;
        told.reset();
        switch (letter) {
        case 'S': return step(event::Started{now});
        case 'X': return step(event::Stopped{});
        case 'N': return step(event::TargetStarted{now});
        case 'G': return step(event::TargetGone{});
        case 'K': return step(event::TargetBack{});
        case 'T': return step(event::Terminating{});
        case 'r': return check("e+");
        case 'e': return check("eee");
        case 'l': return check("eel");
        case 'c':
            if (!fsm.in_flight()) step(event::Due{});
            if (fsm.in_flight()) step(event::Error{not_found});
            step(event::Paused{});
            return step(event::Resumed{});
        case 'g':
            if (!fsm.in_flight()) step(event::Due{});
            step(event::GateClosed{});
            if (fsm.in_flight()) step(event::Error{not_found});
            return step(event::GateOpened{});
        default: return check(std::string_view{&letter, 1});
        }
    }
};

std::string text(const std::optional<Told>& told) {
    if (!told) return {};
    std::ostringstream out;
    out << to_string(told->health) << " after " << to_string(told->previous) << " ("
        << to_string(told->origin) << ")";
    return out.str();
}

/// What each letter has a worker tell: "e: unknown after passing (prober_error)".
std::string told(const ProbeSpec& spec, std::string_view letters) {
    Machine machine{WorkerFsm{spec}};
    std::string all;
    for (const char letter : letters) {
        machine.happen(letter);
        if (!machine.told) continue;
        all += (all.empty() ? "" : ", ") + std::string{letter} + ": " + text(machine.told);
    }
    return all;
}

ProbeSpec spec_of(ProbeKind kind, int error_threshold) {
    return {.kind = kind,
            .period = 10s,
            .success_threshold = kind == ProbeKind::readiness ? 2 : 1,
            .failure_threshold = 2,
            .error_threshold = error_threshold};
}

} // namespace

TEST_CASE("so many checks in a row that cannot ask make the health unknown, until one can") {
    struct Row {
        ProbeKind kind;
        int threshold;
        std::string letters;
        std::string told;
    };
    constexpr ProbeKind startup = ProbeKind::startup, liveness = ProbeKind::liveness,
                        readiness = ProbeKind::readiness;
    const auto row = GENERATE(values<Row>({
        // A probe that can never ask: told once, whatever the kind begins with.
        {liveness, 3, "Seeeee", "e: unknown after unknown (prober_error)"},
        {readiness, 3, "Seeeee", "e: unknown after unknown (prober_error)"},
        {startup, 3, "Seeeee", "e: unknown after unknown (prober_error)"},
        {liveness, 3, "See", ""},
        {liveness, 0, "Seeeeeeeeee", ""},
        // In a row: any result that counts ends the row, also one that came at a second attempt.
        {liveness, 2, "Se-e-e-", "-: failing after unknown (result)"},
        {liveness, 2, "Serere", "r: passing after unknown (result)"},
        // Those of the prober's own want and cancelled ones neither count nor end the row.
        {liveness, 2, "Sllllll", ""},
        {liveness, 2, "Seccc", ""},
        {liveness, 2, "Selce", "e: unknown after unknown (prober_error)"},
        {liveness, 2, "Sgg", "g: unknown after unknown (prober_error)"},
        // The next result: the policy's word, else that of before.
        {liveness, 1, "S+e+",
         "+: passing after unknown (result), e: unknown after passing (prober_error), "
         "+: passing after unknown (result)"},
        {liveness, 1, "S+e-",
         "+: passing after unknown (result), e: unknown after passing (prober_error), "
         "-: passing after unknown (restored)"},
        {liveness, 1, "Se-",
         "e: unknown after unknown (prober_error), -: passing after unknown (restored)"},
        {startup, 1, "Se-",
         "e: unknown after unknown (prober_error), -: unknown after unknown (restored)"},
        {readiness, 1, "Se+",
         "e: unknown after unknown (prober_error), +: failing after unknown (restored)"},
        // The counters are untouched: two failures are two failures.
        {liveness, 1, "S+-e-",
         "+: passing after unknown (result), e: unknown after passing (prober_error), "
         "-: failing after unknown (result)"},
        {readiness, 1, "S++e+e-",
         "+: passing after unknown (result), e: unknown after passing (prober_error), "
         "+: passing after unknown (result), e: unknown after passing (prober_error), "
         "-: passing after unknown (restored)"},
        // What else ends it.
        {liveness, 1, "SeN",
         "e: unknown after unknown (prober_error), N: passing after unknown (target_replaced)"},
        {startup, 1, "SeN",
         "e: unknown after unknown (prober_error), N: unknown after unknown (target_replaced)"},
        {liveness, 2, "SeeNe",
         "e: unknown after unknown (prober_error), N: passing after unknown (target_replaced)"},
        {liveness, 2, "SeeXSe", "e: unknown after unknown (prober_error)"},
        {readiness, 2, "SeeGKe",
         "e: unknown after unknown (prober_error), G: failing after unknown (target_gone), "
         "e: unknown after failing (prober_error)"},
        {liveness, 1, "SeT",
         "e: unknown after unknown (prober_error), T: passing after unknown (terminating)"},
        // What is on hold makes no checks.
        {liveness, 1, "S--eee", "-: failing after unknown (result)"},
        {startup, 1, "S+eee", "+: passing after unknown (result)"},
    }));
    CHECK(told(spec_of(row.kind, row.threshold), row.letters) == row.told);
}

TEST_CASE("the errors of the prober's own want count if the spec says so") {
    ProbeSpec spec = spec_of(ProbeKind::liveness, 2);
    spec.error_threshold_local = true;
    CHECK(told(spec, "Sle") == "e: unknown after unknown (prober_error)");
}

TEST_CASE("what is unknown because of errors is a judgement, and what is restored is what it was") {
    Machine machine{WorkerFsm{spec_of(ProbeKind::liveness, 1)}};
    const WorkerFsm<>& fsm = machine.fsm;
    for (const char letter : {'S', 'e'}) machine.happen(letter);
    CHECK(fsm.judged());
    CHECK(fsm.health() == Health::unknown);
    CHECK(fsm.since() == machine.now);
    CHECK(fsm.state() == WorkerState::probing); // it goes on
    SECTION("of the initial health: not judged") {
        machine.happen('-');
        CHECK_FALSE(fsm.judged());
        CHECK(fsm.health() == Health::passing);
    }
    SECTION("of a judgement: judged") {
        for (const char letter : {'+', 'e', '-'}) machine.happen(letter);
        CHECK(fsm.judged());
        CHECK(fsm.health() == Health::passing);
        CHECK(fsm.run() == 1);
    }
    SECTION("and it can still be read when the worker is stopped") {
        machine.happen('X');
        CHECK(fsm.health() == Health::unknown);
        machine.happen('S');
        CHECK(fsm.health() == Health::passing);
        CHECK_FALSE(fsm.judged());
    }
}

TEST_CASE("another threshold for errors holds from the next check on") {
    Machine machine{WorkerFsm{spec_of(ProbeKind::liveness, 0)}};
    for (const char letter : {'S', 'e', 'e', 'e'}) machine.happen(letter);
    CHECK_FALSE(machine.fsm.update(spec_of(ProbeKind::liveness, 4), machine.now).changed);
    machine.happen('e');
    CHECK(text(machine.told) == "unknown after unknown (prober_error)");
    CHECK_FALSE(machine.fsm.update(spec_of(ProbeKind::liveness, 0), machine.now).changed);
    CHECK(machine.fsm.health() == Health::unknown);
    machine.happen('-');
    CHECK(text(machine.told) == "passing after unknown (restored)");
}

TEST_CASE("errors in a row are counted as far as a threshold may reach, and no further") {
    Machine machine{WorkerFsm{spec_of(ProbeKind::liveness, 65535)}};
    REQUIRE(is_valid(machine.fsm.spec()));
    machine.happen('S');
    for (int i = 1; i != 65535; ++i) machine.happen('g');
    CHECK(machine.fsm.health() == Health::passing);
    machine.happen('g');
    CHECK(machine.fsm.health() == Health::unknown);
    machine.happen('g');
    CHECK(machine.fsm.health() == Health::unknown);
}

TEST_CASE("a policy that says unknown, and one that has no word, end the errors") {
    struct Mute {
        std::optional<Health> judge(const ProbeResult& result, const ProbeSpec&) noexcept {
            return result.passed() ? std::optional{Health::unknown} : std::nullopt;
        }
    };
    WorkerFsm fsm{spec_of(ProbeKind::readiness, 1), Mute{}};
    const auto now = [] { return TimePoint{100s}; };
    const auto check = [&](const WorkerEvent& end) {
        if (!fsm.in_flight()) (void)fsm.step(event::Triggered{}, now());
        return fsm.step(end, now());
    };
    const auto err = [&] {
        (void)check(event::Error{not_found});
        (void)check(event::Error{not_found});
        return check(event::Error{not_found});
    };
    (void)fsm.step(event::Started{}, now());
    CHECK(err().origin == Verdict::Origin::prober_error);
    Decision decision = check(event::Result{ProbeResult::success()});
    CHECK(decision.changed);
    CHECK(decision.origin == Verdict::Origin::result);
    CHECK(decision.health == Health::unknown);
    CHECK(err().changed); // unknown for another reason
    decision = check(event::Result{ProbeResult::failure(std::string{"no"})});
    CHECK(decision.origin == Verdict::Origin::restored);
    CHECK(decision.health == Health::unknown);
    CHECK(fsm.judged());
}

namespace {

/// The same, said of the history as a whole. What the policy knows is counted up from the results
/// alone; whether errors hide it is looked up from the back.
struct Oracle {
    ProbeSpec spec;
    std::string history = {}; // the letters that did something

    struct Known {
        Health health = Health::unknown;
        bool judged = false;
        bool running = false, held = false, present = false;
        bool policy_spoke = false; // at the last letter
    };

    [[nodiscard]] static bool is_result(char letter) {
        return letter == '+' || letter == '-' || letter == 'r';
    }
    [[nodiscard]] bool counts(char letter) const {
        return letter == 'e' || letter == 'g' || (letter == 'l' && spec.error_threshold_local);
    }

    /// Errors do not exist here.
    [[nodiscard]] Known known() const {
        Known known{.health = WorkerFsm<>::initial_health(spec.kind)};
        int run = 0;
        bool last = true;
        for (const char letter : history) {
            known.policy_spoke = false;
            if (letter == 'S' || letter == 'N') {
                if (letter == 'S') run = 0, last = true;
                known = {.health = WorkerFsm<>::initial_health(spec.kind),
                         .running = true,
                         .present = true};
            } else if (letter == 'X') {
                known.running = false;
            } else if (letter == 'G' || letter == 'T') {
                known.health = letter == 'G' ? Health::failing : Health::passing;
                known.judged = true;
                known.present = false;
                if (letter == 'T') known.running = false;
            } else if (letter == 'K') {
                known.present = true;
            } else if (is_result(letter)) {
                const bool passed = letter != '-';
                run = passed == last ? run + 1 : 1;
                last = passed;
                if (run < (passed ? spec.success_threshold : spec.failure_threshold)) continue;
                known.policy_spoke = known.judged = true;
                known.health = passed ? Health::passing : Health::failing;
                known.held = spec.kind == ProbeKind::startup ||
                             (spec.kind == ProbeKind::liveness && !passed);
                if (known.held) run = 0;
            }
        }
        return known;
    }

    /// Whether so many errors have come that what is known does not show.
    [[nodiscard]] bool deaf() const {
        std::string_view past = history;
        if (past.ends_with('X')) past.remove_suffix(1); // it can still be read
        int errors = 0;
        bool any_since_verdict = false, verdict = false;
        for (; !past.empty(); past.remove_suffix(1)) {
            const char letter = past.back();
            if (is_result(letter) || letter == 'S' || letter == 'N' || letter == 'X') break;
            if (letter == 'G' || letter == 'T') verdict = true;
            if (!counts(letter)) continue;
            ++errors;
            any_since_verdict = any_since_verdict || !verdict;
        }
        return spec.error_threshold != 0 && errors >= spec.error_threshold && any_since_verdict;
    }

    [[nodiscard]] bool can_happen(char letter) const {
        const Known now = known();
        switch (letter) {
        case 'S': return !now.running;
        case 'X':
        case 'N': return now.running;
        case 'G': return now.running && !now.held && now.present;
        case 'K': return now.running && !now.held && !now.present;
        case 'T': return now.running && !now.held && spec.kind != ProbeKind::readiness;
        default: return now.running && !now.held && now.present;
        }
    }

    [[nodiscard]] static Verdict::Origin origin_of(char letter, bool policy_spoke) {
        switch (letter) {
        case 'N': return Verdict::Origin::target_replaced;
        case 'G': return Verdict::Origin::target_gone;
        case 'T': return Verdict::Origin::terminating;
        default: break;
        }
        if (!is_result(letter)) return Verdict::Origin::prober_error;
        return policy_spoke ? Verdict::Origin::result : Verdict::Origin::restored;
    }

    /// Adds a letter; what is told.
    std::optional<Told> add(char letter) {
        const Known before = known();
        const bool was_deaf = deaf();
        history += letter;
        const Known after = known();
        const bool is_deaf = deaf();
        if (letter == 'S' || letter == 'X') return {};
        const Health now = is_deaf ? Health::unknown : after.health;
        const Health then = was_deaf ? Health::unknown : before.health;
        const bool judged_first = after.judged && !before.judged && !was_deaf;
        if (now == then && was_deaf == is_deaf && !judged_first) return {};
        return Told{now, was_deaf || before.judged ? then : Health::unknown,
                    origin_of(letter, after.policy_spoke)};
    }
};

/// All histories of `left` more letters; the first that the two judge differently, else nothing.
std::optional<std::string> disagreement(const Machine& machine, const Oracle& oracle, int left,
                                        std::size_t& compared) {
    if (left == 0) return {};
    for (const char letter : alphabet) {
        Machine next = machine;
        Oracle theirs = oracle;
        next.happen(letter);
        ++compared;
        const bool happens = oracle.can_happen(letter);
        const std::optional<Told> expected = happens ? theirs.add(letter) : std::nullopt;
        const Oracle::Known known = theirs.known();
        const bool deaf = theirs.deaf();
        const bool same =
            next.told == expected && next.fsm.judged() == (deaf || known.judged) &&
            next.fsm.health() == (deaf ? Health::unknown : known.health) &&
            (next.fsm.state() == WorkerState::on_hold) == (known.running && known.held);
        if (!same)
            return oracle.history + letter + ": '" + text(next.told) + "', not '" + text(expected) +
                   "'; " + std::string{to_string(next.fsm.health())};
        if (!happens) continue; // the same as without it
        if (auto found = disagreement(next, theirs, left - 1, compared)) return found;
    }
    return {};
}

} // namespace

TEST_CASE("errors are judged as the history says, whatever comes", "[oracle]") {
    std::size_t compared = 0;
    for (const ProbeKind kind : {ProbeKind::startup, ProbeKind::liveness, ProbeKind::readiness})
        for (const int threshold : {0, 1, 2})
            for (const bool local : {false, true}) {
                ProbeSpec spec = spec_of(kind, threshold);
                spec.error_threshold_local = local;
                if (threshold == 1) spec.failure_threshold = 1;
                CAPTURE(to_string(kind), threshold, local);
                Machine machine{WorkerFsm{spec}};
                Oracle oracle{spec};
                machine.happen('S');
                oracle.add('S');
                CHECK(disagreement(machine, oracle, 5, compared).value_or("") == "");
            }
    std::printf("oracle of errors: %zu letters compared\n", compared);
    CHECK(compared > 100'000);
}
