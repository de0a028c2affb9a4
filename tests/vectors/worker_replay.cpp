// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <chrono>
#include <iostream>
#include <map>
#include <optional>
#include <string>
#include <system_error>

#include <probekit/core/kubelet_text.hpp>
#include <probekit/core/restart.hpp>
#include <probekit/core/worker_fsm.hpp>

#include "replay.hpp"

// Recordings of the kubelet's worker.doProbe. WorkerFsm gets, as events, what the kubelet reads in
// container statuses. Everything that a recording expects is then derived from WorkerFsm's
// decisions and members, and from the text that the supervisor shows, and compared as a whole.
namespace {

using namespace probekit;
using nlohmann::json;

Duration seconds(const json& value) {
    return std::chrono::duration_cast<Duration>(std::chrono::duration<double>{value.get<double>()});
}

TimePoint moment(const json& value) { return TimePoint{seconds(value)}; }

ProbeKind kind_of(const std::string& type) {
    if (type == "startup") return ProbeKind::startup;
    return type == "liveness" ? ProbeKind::liveness : ProbeKind::readiness;
}

RestartPolicy policy_of(const std::string& name) {
    if (name == "OnFailure") return RestartPolicy::on_failure;
    return name == "Never" ? RestartPolicy::never : RestartPolicy::always;
}

std::string shown(Health health) {
    switch (health) {
    case Health::passing: return "Success";
    case Health::failing: return "Failure";
    case Health::unknown: break;
    }
    return "Unknown";
}

ProbeSpec spec_of(const json& trace) {
    const json& given = trace.at("spec");
    return {.kind = kind_of(trace.at("probe_type")),
            .initial_delay = seconds(given.at("initialDelaySeconds")),
            .period = seconds(given.at("periodSeconds")),
            .timeout = seconds(given.at("timeoutSeconds")),
            .success_threshold = given.at("successThreshold"),
            .failure_threshold = given.at("failureThreshold"),
            .error_threshold = 0};
}

class TraceReplay {
public:
    explicit TraceReplay(const json& trace) : trace_(trace), fsm_(spec_of(trace)) {}

    /// Takes one step; what the recording's `expect` should be.
    json take(const json& step) {
        now_ = moment(step.at("t"));
        step_ = &step;
        probe_calls_ = 0;
        updates_ = events_ = json::array();
        metrics_ = json::object();
        const bool keep_going = sync(step.at("status"));
        return {{"keep_going", keep_going},
                {"probe_calls", probe_calls_},
                {"worker_container_id", id_},
                {"cached", cache_.contains(id_) ? json(shown(cache_.at(id_))) : json()},
                {"cache", cache()},
                {"on_hold", ended_on_hold_ || fsm_.state() == WorkerState::on_hold},
                {"last_result", fsm_.policy().counter().last() ? "Success" : "Failure"},
                {"result_run", fsm_.run()},
                {"updates", updates_},
                {"events", events_},
                {"metric_increments", metrics_}};
    }

private:
    /// Gives the FSM what the status says. False: the worker ends.
    bool sync(const json& status) {
        if (status.is_null()) return true;
        const std::string phase = status.at("phase");
        if (phase == "Failed" || phase == "Succeeded") {
            ended_on_hold_ = fsm_.state() == WorkerState::on_hold;
            return apply(event::Stopped{}) != Decision::Action::end;
        }
        const json& container = status.at("container");
        if (container.is_null() || container.at("id") == "") return true;

        // A startup worker's gate is open until the container has started, the others' from then
        // on.
        const bool startup = fsm_.spec().kind == ProbeKind::startup;
        const bool open = (container.at("started") == true) != startup;
        const bool running = container.at("state") == "running";
        if (!open) apply(event::GateClosed{});
        if (container.at("id") != id_)
            replace(container, running);
        else if (running && fsm_.state() == WorkerState::no_target)
            apply(event::TargetBack{});
        if (!running) {
            apply(event::TargetGone{});
            if (fsm_.state() == WorkerState::no_target && !will_restart(container))
                return apply(event::Stopped{}) != Decision::Action::end;
        } else if (status.at("deletion") == true &&
                   apply(event::Terminating{}) == Decision::Action::end) {
            return false;
        }
        if (open) apply(event::GateOpened{});
        // These events may have begun a check already, which then is the recorded call of doProbe.
        if (!fsm_.in_flight() && step_->at("trigger") == "manual") apply(event::Triggered{});
        if (!fsm_.in_flight()) apply(event::Due{});
        while (fsm_.in_flight()) attempt();
        return true;
    }

    void replace(const json& container, bool running) {
        const bool first = id_.empty();
        if (!first) cache_.erase(id_);
        id_ = container.at("id");
        const TimePoint since = running ? moment(container.at("started_at")) : started_later();
        // Since 1.35 a container that ran before the kubelet started has no initial value.
        const bool adopted =
            running && since < moment(trace_.at("manager_start")) - std::chrono::seconds{10};
        const Health initial = WorkerFsm<>::initial_health(fsm_.spec().kind);
        if (!adopted) set(initial);
        if (first) apply(event::Started{since});
        if (!first || adopted) apply(event::TargetStarted{since, adopted});
    }

    /// When a container that does not run was started. Only the statuses of running containers say
    /// so; this looks for a later one.
    TimePoint started_later() const {
        for (const json& step : trace_.at("steps")) {
            const json& status = step.at("status");
            if (status.is_null() || status.at("container").is_null()) continue;
            const json& container = status.at("container");
            if (container.at("id") == id_ && container.at("state") == "running")
                return moment(container.at("started_at"));
        }
        return now_;
    }

    bool will_restart(const json& container) const {
        if (container.at("state") != "terminated") return true;
        const json& own = trace_.at("container_restart_policy");
        const RestartPolicy policy = policy_of(own.is_null() ? trace_.at("restart_policy") : own);
        return should_restart(policy, ExitStatus{.code = container.at("exit_code")});
    }

    /// Gives the FSM one event. A cancelled attempt has ended at once.
    template <class Event>
    Decision::Action apply(Event event) {
        const Decision decision = fsm_.step(event, now_);
        if (decision.changed && decision.origin != Verdict::Origin::target_replaced)
            set(decision.health);
        if (decision.cancel) apply(event::AttemptCancelled{});
        return decision.action;
    }

    void attempt() {
        ++probe_calls_;
        const std::string outcome = step_->at("outcome");
        const std::string output = step_->at("output");
        const int errors = outcome == "error"                ? 3
                           : outcome == "error_then_success" ? 2
                                                             : outcome == "error_then_failure";
        if (probe_calls_ <= errors) {
            ProbeResult result;
            result.output = "exec failed";
            const auto error = std::make_error_code(std::errc::no_such_file_or_directory);
            const bool retried = apply(event::Error{error}) == Decision::Action::attempt;
            return record(error, result, retried);
        }
        ProbeResult result = ProbeResult::success();
        if (outcome == "warning") result = ProbeResult::warning(output);
        if (outcome == "failure" || outcome == "error_then_failure")
            result = ProbeResult::failure(output);
        if (outcome == "unknown") result.outcome = Outcome::unknown;
        metrics_[result.passed() ? "successful" : "failed"] = 1;
        record({}, result, false);
        apply(event::Result{result});
    }

    /// The event that the supervisor would show for this attempt.
    void record(const std::error_code& error, const ProbeResult& result, bool retried) {
        const auto event = kubelet::probe_event(
            {.kind = fsm_.spec().kind, .error = error, .result = result, .retried = retried});
        if (event)
            events_.push_back(
                {{"type", "Warning"}, {"reason", event->reason}, {"message", event->message}});
    }

    /// The results manager: an update is sent if the entry is new or has changed.
    void set(Health health) {
        const auto [entry, added] = cache_.try_emplace(id_, health);
        if (!added && entry->second == health) return;
        entry->second = health;
        updates_.push_back({{"id", id_}, {"result", shown(health)}});
    }

    json cache() const {
        json all = json::object();
        for (const auto& [id, health] : cache_) all[id] = shown(health);
        return all;
    }

    const json& trace_;
    WorkerFsm<> fsm_;
    std::string id_;
    std::map<std::string, Health> cache_;
    TimePoint now_;
    const json* step_ = nullptr;
    bool ended_on_hold_ = false;
    int probe_calls_ = 0;
    json updates_;
    json events_;
    json metrics_;
};

} // namespace

Tally replay_worker_traces(const json& document) {
    Tally tally;
    std::size_t steps = 0;
    for (const json& trace : document.at("cases")) {
        tally.add(trace.at("name"), [&]() -> std::optional<bool> {
            TraceReplay replay{trace};
            for (const json& step : trace.at("steps")) {
                ++steps;
                const json got = replay.take(step);
                if (got == step.at("expect")) continue;
                std::cout << trace.at("name").get<std::string>() << " at t=" << step.at("t")
                          << ": expected to got: " << json::diff(step.at("expect"), got) << '\n';
                return false;
            }
            return true;
        });
    }
    std::cout << "worker traces: " << document.at("cases").size() << " cases, " << steps
              << " steps\n";
    return tally;
}
