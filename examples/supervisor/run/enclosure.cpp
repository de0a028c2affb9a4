#include "run/enclosure.hpp"

#include <chrono>
#include <string_view>
#include <thread>

#include <sys/prctl.h>

#include <probekit/process/process.hpp>

#include "manifest/uuid.hpp"
#include "run/process_table.hpp"
#include "run/try_start.hpp"

namespace supervisor {
namespace {

using namespace std::chrono_literals;

bool can_be_joined(const std::string& cgroup) { return !try_start({.cgroup = cgroup}); }

} // namespace

Enclosures::Enclosures(const Options& options)
    : options_(options),
      descriptors_(raise_descriptor_limit()),
      mark_("PROBEKIT_CONTAINER=" + random_uuid() + "/"),
      cgroup_("probekit-" + random_uuid(), can_be_joined),
      guardian_(cgroup_.path(), mark_) {
    for (const int pid : own_children())
        if (pid != guardian_.pid()) inherited_.insert(pid);
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
}

std::vector<int> Enclosures::strangers() const {
    std::vector<int> found = own_children();
    std::erase_if(found, [this](int pid) {
        return pid == guardian_.pid() || leaders_.contains(pid) || inherited_.contains(pid);
    });
    return found;
}

std::error_code Enclosures::replace_guardian() {
    const std::error_code error = guardian_.start();
    if (!error)
        for (const int pid : leaders_) guardian_.watch(pid);
    return error;
}

void Enclosures::end() {
    constexpr int most_rounds = 200;
    const std::string& cgroup = cgroup_.path();
    if (!cgroup.empty()) Cgroup::kill(cgroup);
    const auto is_ours = [this](int pid) {
        return inherited_.empty() || has_variable(pid, [this](std::string_view variable) {
                   return variable.starts_with(mark_);
               });
    };
    // When one is killed, what it has started comes to us.
    for (int round = 0; round != most_rounds; ++round) {
        bool one_is_left = !cgroup.empty() && Cgroup::populated(cgroup);
        for (const int pid : strangers()) {
            if (reap_child(pid) || !is_ours(pid)) continue;
            kill_process(pid);
            one_is_left = true;
        }
        if (!one_is_left) break;
        std::this_thread::sleep_for(1ms);
    }
}

Enclosure::Enclosure(Enclosures& all, const std::string& name)
    : all_(all), mark_(all.mark_ + name), cgroup_(all.cgroup_, std::to_string(all.count_++)) {}

void Enclosure::enclose(probekit::ProcessSpec& process) const {
    process.environment.push_back(mark_);
    process.cgroup = cgroup_.path();
    process.limits = all_.descriptors_.for_children;
    process.pid_namespace = all_.options_.pid_namespace;
}

void Enclosure::enclose(probekit::ExecAction& action, probekit::ExecOptions& options) const {
    action.environment.push_back(mark_);
    options.cgroup = cgroup_.path();
    options.limits = all_.descriptors_.for_children;
}

void Enclosure::started(int pid) {
    pid_ = pid;
    all_.leaders_.insert(pid);
    all_.guardian_.watch(pid);
}

void Enclosure::ended() {
    all_.leaders_.erase(pid_);
    all_.guardian_.forget(pid_);
    pid_ = -1;
    if (!cgroup_.path().empty()) return Cgroup::kill(cgroup_.path());
    constexpr int most_rounds = 10;
    for (int round = 0; round != most_rounds; ++round) {
        bool one_was_left = false;
        for (const int child : all_.strangers()) {
            if (!has_variable(child, [this](std::string_view one) { return one == mark_; }))
                continue;
            kill_process(child); // reaped by whoever waits for it
            one_was_left = true;
        }
        if (!one_was_left) return;
    }
}

} // namespace supervisor
