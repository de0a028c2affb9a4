#include "script.hpp"

#include <algorithm>
#include <system_error>
#include <utility>

#include "times.hpp"

namespace timeline {

using probekit::Duration;
using probekit::simulation::Check;
using probekit::simulation::Response;

probekit::simulation::Script script_of(const TargetOptions& target) {
    Response well = probekit::simulation::pass();
    Response ill = target.hangs ? probekit::simulation::hang() : probekit::simulation::fail();
    well.takes = target.attempt_takes.value_or(well.takes);
    if (!target.hangs) ill.takes = well.takes; // a response that never comes takes no other time
    const Duration well_from = target.starts_after.value_or(Duration::min());
    const Duration ill_from = target.fails_after.value_or(Duration::max());
    auto responses = probekit::simulation::by_age(
        {{Duration::min(), ill}, {well_from, well}, {std::max(well_from, ill_from), ill}});
    return {.responses = std::move(responses),
            .runs = {{.starts_in = target.creation_takes,
                      .exits_after = target.exits_after,
                      .exit = {.code = target.exit_code},
                      .ends_in = target.ends_in}},
            .length = std::chrono::minutes{5}};
}

void heed_impossible(probekit::simulation::Script& script, const Subject& subject) {
    script.responses = [given = std::move(script.responses),
                        texts = subject.cannot_ask](const Check& check) {
        const bool impossible = !texts[static_cast<std::size_t>(check.kind)].empty();
        if (impossible)
            return probekit::simulation::prober_error(
                std::make_error_code(std::errc::invalid_argument));
        return given ? given(check) : probekit::simulation::pass();
    };
}

std::string described(const TargetOptions& target) {
    std::string text;
    const auto add = [&](const std::string& what) { text += (text.empty() ? "" : ", ") + what; };
    if (target.starts_after)
        add("answers from " + time_text(*target.starts_after) + " on");
    else if (!target.fails_after)
        add("answers");
    if (target.fails_after) add("fails from " + time_text(*target.fails_after) + " on");
    if (target.hangs) add("fails by not answering");
    if (target.attempt_takes) add("takes " + time_text(*target.attempt_takes) + " to answer");
    if (target.exits_after)
        add("ends at " + time_text(*target.exits_after) + " with exit code " +
            std::to_string(target.exit_code));
    if (target.ends_in == Duration::max())
        add("ignores SIGTERM");
    else if (target.ends_in > Duration::zero())
        add("takes " + time_text(target.ends_in) + " to end");
    return text;
}

} // namespace timeline
