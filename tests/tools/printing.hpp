// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
// What Catch2 prints of values of the library when a comparison fails. All files of a test program
// that compare such values include it, or the linker may choose the printing of one that does not.
#pragma once

#include <string>
#include <string_view>

#include <catch2/catch_tostring.hpp>

#include <probekit/core/outcome.hpp>
#include <probekit/core/verdict.hpp>
#include <probekit/core/worker_fsm.hpp>

namespace tools {

[[nodiscard]] constexpr std::string_view to_string(probekit::Decision::Action action) noexcept {
    using enum probekit::Decision::Action;
    switch (action) {
    case none: return "none";
    case attempt: return "attempt";
    case wait: return "wait";
    case hold: return "hold";
    case end: return "end";
    }
    return "?";
}

/// An enumeration by its to_string().
template <class Enum>
[[nodiscard]] std::string by_name(Enum value) {
    return std::string{to_string(value)};
}
template <class Enum>
struct ByName {
    static std::string convert(Enum value) { return by_name(value); }
};

} // namespace tools

namespace Catch {

template <>
struct StringMaker<probekit::Health> : tools::ByName<probekit::Health> {};
template <>
struct StringMaker<probekit::Outcome> : tools::ByName<probekit::Outcome> {};
template <>
struct StringMaker<probekit::ProbeKind> : tools::ByName<probekit::ProbeKind> {};
template <>
struct StringMaker<probekit::WorkerState> : tools::ByName<probekit::WorkerState> {};
template <>
struct StringMaker<probekit::Decision::Action> : tools::ByName<probekit::Decision::Action> {};
template <>
struct StringMaker<probekit::Verdict::Origin> : tools::ByName<probekit::Verdict::Origin> {};

/// "Decision{wait, at 10000000000 ns, health passing}": what says nothing is left out.
template <>
struct StringMaker<probekit::Decision> {
    static std::string convert(const probekit::Decision& decision) {
        using tools::by_name;
        const probekit::Decision plain{};
        std::string text = "Decision{" + by_name(decision.action);
        const auto add = [&](bool said, std::string_view name, const std::string& value) {
            if (said) text += ", " + std::string{name} + ' ' + value;
        };
        add(decision.at != plain.at, "at", Detail::stringify(decision.at.time_since_epoch()));
        add(decision.cancel, "cancel", "true");
        add(decision.attempt_in_check != plain.attempt_in_check, "attempt_in_check",
            std::to_string(decision.attempt_in_check));
        add(decision.skipped != plain.skipped, "skipped", std::to_string(decision.skipped));
        add(true, decision.changed ? "changed to" : "health", by_name(decision.health));
        add(decision.origin != plain.origin, "by", by_name(decision.origin));
        add(decision.changed, "from", by_name(decision.previous));
        add(decision.changed, "after", Detail::stringify(decision.previous_duration));
        return text + '}';
    }
};

} // namespace Catch
