// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/core/group_fsm.hpp>

#include <initializer_list>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

using namespace probekit;

namespace {

/// What happens, as one letter or two:
///   B  begins (Started)     N  new target       G  target gone    T  terminating    X  stopped
///   =s =l =r  a probe of that kind is set
///   +s +l +r  a check of that kind passes       -s -l -r  it fails
///   ?s ?l ?r  it cannot ask                         !l !r  it can ask again: failing, passing as before
///   gl gr     failing because the target is gone    ts tl  passing because it is terminating
const std::vector<std::string_view> alphabet{"B",  "N",  "G",  "T",  "X",  "=s", "=l",
                                             "=r", "+s", "-s", "+l", "-l", "+r", "-r",
                                             "gr", "ts", "?l", "?r", "!l", "!r"};

ProbeKind kind_of(char letter) {
    if (letter == 's') return ProbeKind::startup;
    return letter == 'l' ? ProbeKind::liveness : ProbeKind::readiness;
}

GroupDecision step(GroupFsm& fsm, std::string_view word) {
    switch (word[0]) {
    case 'B': return fsm.step(event::Started{});
    case 'N': return fsm.step(event::TargetStarted{});
    case 'G': return fsm.step(event::TargetGone{});
    case 'T': return fsm.step(event::Terminating{});
    case 'X': return fsm.step(event::Stopped{});
    case '=': return fsm.step(event::ProbeSet{kind_of(word[1])});
    case '+': return fsm.step(event::Judged{kind_of(word[1]), Health::passing});
    case '-': return fsm.step(event::Judged{kind_of(word[1]), Health::failing});
    case '?':
        return fsm.step(
            event::Judged{kind_of(word[1]), Health::unknown, Verdict::Origin::prober_error});
    case '!':
        return fsm.step(event::Judged{kind_of(word[1]),
                                      word[1] == 'r' ? Health::passing : Health::failing,
                                      Verdict::Origin::restored});
    case 'g':
        return fsm.step(
            event::Judged{kind_of(word[1]), Health::failing, Verdict::Origin::target_gone});
    default:
        return fsm.step(
            event::Judged{kind_of(word[1]), Health::passing, Verdict::Origin::terminating});
    }
}

std::string text(const GroupDecision& decision) {
    std::string all;
    for (const GroupEvent event : decision)
        all += (all.empty() ? "" : " ") + std::string{to_string(event)};
    return all;
}

/// The changes that each word brings about: "B: started ready".
std::string changes(const std::string& words) {
    GroupFsm fsm;
    std::istringstream in{words};
    std::string all;
    for (std::string word; in >> word;)
        if (const std::string change = text(step(fsm, word)); !change.empty())
            all += (all.empty() ? "" : ", ") + word + ": " + change;
    return all;
}

struct Row {
    std::string words;
    std::string changes;
};

} // namespace

TEST_CASE("what has no probe counts as passed") {
    const auto row = GENERATE(values<Row>({
        {"B", "B: started ready"},
        {"=l B", "B: started ready"},
        {"=r B +r", "B: started, +r: ready"},
        {"=s B +s", "+s: started ready"},
        {"=s =r B +s +r", "+s: started, +r: ready"},
        {"=s =l =r B +s +l +r", "+s: started, +r: ready"},
        {"N G +r -l", ""}, // not started
        {"B B", "B: started ready"},
    }));
    CHECK(changes(row.words) == row.changes);
}

TEST_CASE("a target is killed once, for a check") {
    const auto row = GENERATE(values<Row>({
        {"=l B -l -l", "B: started ready, -l: kill"},
        {"=s =l B -s -l", "-s: kill"},
        {"=l B -l N -l", "B: started ready, -l: kill, N: unready started ready, -l: kill"},
        {"=l B -l G N -l", "B: started ready, -l: kill, G: unready, N: started ready, -l: kill"},
        {"=l B G gl", "B: started ready, G: unready"},
        {"=l B T -l", "B: started ready"}, // it is meant to end
        {"=l B T N -l", "B: started ready, N: unready started ready, -l: kill"},
        {"=s B ts", ""}, // that it is to end does not mean that it has started
        {"=r B -r -r", "B: started"},
        {"=l B X -l", "B: started ready"},
    }));
    CHECK(changes(row.words) == row.changes);
}

TEST_CASE("ready and unready take turns") {
    const auto row = GENERATE(values<Row>({
        {"=r B +r -r +r", "B: started, +r: ready, -r: unready, +r: ready"},
        {"=r B +r G N +r", "B: started, +r: ready, G: unready, N: started, +r: ready"},
        {"=r B +r N", "B: started, +r: ready, N: unready started"},
        {"=r B +r G +r", "B: started, +r: ready, G: unready"}, // a late verdict
        {"=r B +r X B", "B: started, +r: ready, B: unready started"},
        {"B =r +r", "B: started ready, =r: unready, +r: ready"},
        {"B =s +s", "B: started ready, =s: unready, +s: started ready"},
        {"=r B +r =s +s", "B: started, +r: ready, =s: unready, +s: started ready"},
        {"=r B +r =s -r +s", "B: started, +r: ready, =s: unready, +s: started"},
    }));
    CHECK(changes(row.words) == row.changes);
}

TEST_CASE("a probe that cannot ask makes its target unready or is told, and kills nothing") {
    const auto row = GENERATE(values<Row>({
        {"=r B +r ?r !r", "B: started, +r: ready, ?r: unready, !r: ready"},
        {"=r B +r ?r +r", "B: started, +r: ready, ?r: unready, +r: ready"},
        {"=r B ?r", "B: started"}, // it was not ready before either
        {"=l B ?l ?l", "B: started ready, ?l: prober_error, ?l: prober_error"},
        {"=l B ?l !l", "B: started ready, ?l: prober_error"}, // failing as before: no news
        {"=l B ?l -l", "B: started ready, ?l: prober_error, -l: kill"},
        {"=s B ?s +s", "?s: prober_error, +s: started ready"},
        {"=s =r B ?s +s ?r", "?s: prober_error, +s: started"},
        {"=l B X ?l", "B: started ready"},
    }));
    CHECK(changes(row.words) == row.changes);
}

TEST_CASE("which probe has failed can be read until the target is replaced or terminating") {
    GroupFsm fsm;
    step(fsm, "=s");
    step(fsm, "B");
    CHECK_FALSE(fsm.failed());
    step(fsm, "-s");
    CHECK(fsm.failed() == ProbeKind::startup);
    step(fsm, "-l");
    CHECK(fsm.failed() == ProbeKind::startup);
    SECTION("replaced") { step(fsm, "N"); }
    SECTION("terminating") { step(fsm, "T"); }
    CHECK_FALSE(fsm.failed());
}

TEST_CASE("at a sync the readiness probe of what has started and is not ready checks at once") {
    GroupFsm fsm;
    const auto checks = [&] { return fsm.checks_readiness_at_sync(Cadence::grid, false); };
    for (const char* word : {"=s", "=r", "B"}) step(fsm, word);
    CHECK_FALSE(checks());
    step(fsm, "+s");
    CHECK(checks());
    CHECK_FALSE(fsm.checks_readiness_at_sync(Cadence::grid, true));
    CHECK_FALSE(fsm.checks_readiness_at_sync(Cadence::target_start, false));
    step(fsm, "+r");
    CHECK_FALSE(checks());
    step(fsm, "-r");
    CHECK(checks());
    step(fsm, "G");
    CHECK_FALSE(checks());
    GroupFsm without_readiness;
    step(without_readiness, "B");
    CHECK_FALSE(without_readiness.checks_readiness_at_sync(Cadence::grid, false));
}

TEST_CASE("a machine for a group works at compile time, and takes two words") {
    static_assert([] {
        GroupFsm fsm;
        fsm.step(event::ProbeSet{ProbeKind::startup});
        return fsm.step(event::Started{}).empty() &&
               fsm.step(event::Judged{ProbeKind::startup, Health::passing})
                   .contains(GroupEvent::ready);
    }());
    static_assert(sizeof(GroupFsm) <= 2 * sizeof(void*));
}

namespace {

/// The same said of the history as a whole, without a state: each fact is looked up from the back.
struct Oracle {
    using Words = std::initializer_list<std::string_view>;

    std::vector<std::string_view> history; // what counts: nothing of a stopped group but its probes

    struct Facts {
        bool started = false, ready = false, killed = false;
    };

    [[nodiscard]] bool running() const {
        for (std::size_t i = history.size(); i-- != 0;)
            if (history[i] == "B" || history[i] == "X") return history[i] == "B";
        return false;
    }
    [[nodiscard]] bool has(std::string_view set) const {
        for (const std::string_view word : history)
            if (word == set) return true;
        return false;
    }
    /// Whether one of `words` has come since the last of `since`.
    [[nodiscard]] bool came(Words words, Words since) const { return last(words) > last(since); }
    /// The place of the last of `words`, counted from 1; 0: there is none.
    [[nodiscard]] std::size_t last(Words words) const {
        for (std::size_t i = history.size(); i-- != 0;)
            for (const std::string_view word : words)
                if (history[i] == word) return i + 1;
        return 0;
    }

    [[nodiscard]] Facts facts() const {
        const bool present = !came({"G"}, {"B", "N"});
        Facts facts;
        facts.started = has("=s") ? came({"+s"}, {"B", "N", "=s"}) : true;
        // A startup probe that was set while the group was stopped is asked for the next target.
        const bool passes = came({"+r", "!r"}, {"B", "N", "=r", "-r", "gr", "?r"});
        facts.ready = present && facts.started && (passes || !has("=r"));
        for (std::size_t i = last({"B", "N"}); i < history.size() && history[i] != "T"; ++i)
            if (history[i] == "-s" || history[i] == "-l") facts.killed = true;
        return facts;
    }

    /// Adds `word`; the changes as text.
    std::string add(std::string_view word) {
        const bool runs = running();
        const bool counts = word[0] == '=' || (word == "B") != runs;
        if (!counts) return {};
        const Facts before = facts();
        const bool was_ready = last({"B"}) != 0 && (runs ? before.ready : ready_at_stop());
        history.push_back(word);
        if (!running()) return {};
        const Facts after = facts();
        const bool anew = word == "B" || word == "N";
        std::string all;
        const auto say = [&](const char* what) {
            all += (all.empty() ? "" : " ") + std::string{what};
        };
        if (was_ready && (anew || !after.ready)) say("unready");
        if (after.killed && (anew || !before.killed)) say("kill");
        if (word == "?s" || word == "?l") say("prober_error");
        if (after.started && (anew || !before.started)) say("started");
        if (after.ready && (anew || !was_ready)) say("ready");
        return all;
    }

    [[nodiscard]] bool ready_at_stop() const {
        Oracle then{
            {history.begin(), history.begin() + static_cast<std::ptrdiff_t>(last({"X"})) - 1}};
        return then.facts().ready;
    }
};

/// All histories of `left` more words; the first that the two judge differently, else nothing.
std::optional<std::string> disagreement(const GroupFsm& fsm, const Oracle& oracle, int left) {
    if (left == 0) return {};
    for (const std::string_view word : alphabet) {
        GroupFsm next = fsm;
        Oracle theirs_next = oracle;
        const std::string ours = text(step(next, word));
        const std::string theirs = theirs_next.add(word);
        const Oracle::Facts facts = theirs_next.facts();
        const bool same_facts =
            !theirs_next.running() ||
            (next.started() == facts.started && next.ready() == facts.ready &&
             next.failed().has_value() == (facts.killed && !theirs_next.came({"T"}, {"B", "N"})));
        if (ours != theirs || !same_facts) {
            std::string all;
            for (const std::string_view each : oracle.history) all.append(each) += ' ';
            return all.append(word) + ": '" + ours + "', not '" + theirs + "'";
        }
        if (const auto found = disagreement(next, theirs_next, left - 1)) return found;
    }
    return {};
}

} // namespace

TEST_CASE("the group's machine agrees with its history read as a whole, whatever comes") {
    const auto probes =
        GENERATE(values<std::vector<std::string_view>>({{}, {"=s"}, {"=r"}, {"=s", "=r"}}));
    GroupFsm fsm;
    Oracle oracle;
    for (const std::string_view word : probes) {
        step(fsm, word);
        oracle.add(word);
    }
    CHECK(disagreement(fsm, oracle, 3).value_or("") == "");
    step(fsm, "B");
    oracle.add("B");
    CHECK(disagreement(fsm, oracle, 4).value_or("") == "");
}
