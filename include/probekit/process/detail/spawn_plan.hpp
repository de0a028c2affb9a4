// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <sys/resource.h>
#include <sys/types.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include <probekit/config.hpp>
#include <probekit/core/detail/on_use.hpp>
#include <probekit/process/detail/user_groups.hpp>
#include <probekit/process/process_spec.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// A resource limit as prlimit64 takes it, on 32-bit systems too.
struct KernelLimit {
    int resource = 0;
    std::uint64_t values[2] = {};
};

/// A SpawnPlan as the new process reads it: pointers and numbers only.
struct SpawnImage {
    const char* const* candidates = nullptr; ///< paths to try, ended by a null pointer
    bool searching = false; ///< they come from PATH: a missing one only means "try the next"
    char* const* arguments = nullptr;
    char* const* environment = nullptr;
    const char* working_directory = nullptr; ///< null: stay
    const KernelLimit* limits = nullptr;
    std::size_t limit_count = 0;
    bool has_user = false;
    bool has_group = false; ///< given, or the user's
    unsigned user = 0;
    unsigned group = 0;
    const gid_t* groups = nullptr; ///< the supplementary ones
    std::size_t group_count = 0;
    bool no_new_privs = false;
    bool pid_namespace = false;
    int pid_namespace_fd = -1;            ///< of one to enter; -1: stay
    const char* cgroup_members = nullptr; ///< the file cgroup.procs of a cgroup to join; null: stay
};

/// execvp()'s rule: whether the next directory of PATH is tried after execve() failed with `error`
/// in this one.
[[nodiscard, gnu::always_inline]] inline bool tries_next_directory(int error) noexcept {
    switch (error) {
    case EACCES: // a later directory may have a program that may be executed
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
    case ESTALE:
    case ENODEV:
    case ETIMEDOUT: return true;
    default: return false;
    }
}

/// Prepares everything about a process that can be prepared before its start, so that the start
/// allocates nothing. Inherited variables are taken when the plan is made: a later setenv() neither
/// changes what a probe runs with nor races with it. Immutable; any number of threads may spawn
/// from it. The spec must name a program, and its variables must be NAME=value: see validate().
class SpawnPlan {
public:
    template <class = OnUse>
    explicit SpawnPlan(const ProcessSpec& spec) {
        PROBEKIT_ASSERT(!spec.command.empty() && !spec.command.front().empty());
        const std::vector<std::string_view> environment = environment_of(spec);
        const std::string_view program = spec.command.front();
        const bool searching = program.find('/') == std::string_view::npos;

        // Offsets first, since the text moves when it grows.
        constexpr std::size_t end = static_cast<std::size_t>(-1);
        std::vector<std::size_t> offsets;
        const auto add = [&](std::string_view prefix, std::string_view text) {
            offsets.push_back(text_.size());
            text_.append(prefix).append(text).push_back('\0');
        };
        for (const std::string& argument : spec.command) add({}, argument);
        offsets.push_back(end);
        const std::size_t first_variable = offsets.size();
        for (const std::string_view variable : environment) add({}, variable);
        offsets.push_back(end);
        const std::size_t first_candidate = offsets.size();
        if (searching)
            for_each_directory(path_of(environment), [&](std::string_view directory) {
                add(directory.empty() ? std::string{"./"} : std::string{directory} + '/', program);
            });
        else
            add({}, program);
        offsets.push_back(end);
        const std::size_t directory = offsets.size();
        add({}, spec.working_directory);
        add(spec.cgroup, "/cgroup.procs");

        pointers_.reserve(offsets.size());
        for (const std::size_t offset : offsets)
            pointers_.push_back(offset == end ? nullptr : text_.data() + offset);
        for (const ResourceLimit& limit : spec.limits)
            limits_.push_back(
                {limit.resource, {kernel_value(limit.soft), kernel_value(limit.hard)}});

        image_.candidates = pointers_.data() + first_candidate;
        image_.searching = searching;
        image_.arguments = pointers_.data();
        image_.environment = pointers_.data() + first_variable;
        image_.working_directory = spec.working_directory.empty() ? nullptr : pointers_[directory];
        image_.limits = limits_.data();
        image_.limit_count = limits_.size();
        image_.has_user = spec.user.has_value();
        image_.has_group = spec.group.has_value();
        image_.user = spec.user.value_or(0);
        image_.group = spec.group.value_or(0);
        if (spec.user && !spec.group) take_groups_of(*spec.user);
        image_.no_new_privs = spec.no_new_privs;
        image_.pid_namespace = spec.pid_namespace;
        image_.pid_namespace_fd = spec.pid_namespace_fd;
        image_.cgroup_members = spec.cgroup.empty() ? nullptr : pointers_[directory + 1];
    }

    SpawnPlan(const SpawnPlan&) = delete;
    SpawnPlan& operator=(const SpawnPlan&) = delete;

    [[nodiscard]] const SpawnImage& image() const noexcept { return image_; }

private:
    template <class = OnUse>
    static std::vector<std::string_view> environment_of(const ProcessSpec& spec) {
        std::vector<std::string_view> variables;
        if (spec.inherit_environment && environ != nullptr)
            for (char** variable = environ; *variable != nullptr; ++variable)
                variables.emplace_back(*variable);
        for (const std::string_view given : spec.environment) {
            const std::size_t equals = given.find('=');
            PROBEKIT_ASSERT(equals != std::string_view::npos);
            const std::string_view name = given.substr(0, equals + 1);
            std::erase_if(variables,
                          [&](std::string_view variable) { return variable.starts_with(name); });
            variables.push_back(given);
        }
        return variables;
    }

    template <class = OnUse>
    static std::string_view path_of(const std::vector<std::string_view>& environment) {
        constexpr std::string_view name = "PATH=";
        for (const std::string_view variable : environment)
            if (variable.starts_with(name)) return variable.substr(name.size());
        // The default of container runtimes.
        return "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    }

    /// If the system does not know the user, the group is still to be had from the process itself.
    template <class = OnUse>
    void take_groups_of(unsigned user) {
        std::optional<UserGroups> groups = groups_of_user(user);
        if (!groups) return;
        groups_ = std::move(groups->all);
        image_.has_group = true;
        image_.group = groups->primary;
        image_.groups = groups_.data();
        image_.group_count = groups_.size();
    }

    template <class Function>
    static void for_each_directory(std::string_view path, Function function) {
        for (;;) {
            const std::size_t colon = path.find(':');
            function(path.substr(0, colon));
            if (colon == std::string_view::npos) return;
            path.remove_prefix(colon + 1);
        }
    }

    // A 32-bit program's RLIM_INFINITY is another number.
    static std::uint64_t kernel_value(std::uint64_t value) noexcept {
        return value == RLIM_INFINITY ? ResourceLimit::unlimited : value;
    }

    std::string text_; // every string, each with its NUL
    // Arguments, variables and candidates, each list with a null pointer at its end; the directory.
    std::vector<char*> pointers_;
    std::vector<KernelLimit> limits_;
    std::vector<gid_t> groups_;
    SpawnImage image_;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
