// What containers, their probes and their hooks have started lives as long as the container, and no
// longer, in whatever session it is.
#include <csignal>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include <sched.h>
#include <sys/resource.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "pods.hpp"
#include "supervised.hpp"

using namespace scenarios;

namespace {

/// Starts a process that leaves group and session, and says which.
std::string leave(const std::string& file) {
    return "/usr/bin/setsid /bin/sleep 1000 </dev/null >/dev/null 2>&1 & echo $! > " + file +
           ".new; "
           "mv " +
           file + ".new " + file + "; ";
}

/// A container where everything that can leaves a process behind.
json leaving() {
    json c = obedient("c", 0, ":");
    c["command"][2] = leave("by-container") + c["command"][2].get<std::string>();
    c["lifecycle"]["postStart"] = exec_handler(leave("by-post-start"));
    c["lifecycle"]["preStop"] = exec_handler(leave("by-pre-stop"));
    c["readinessProbe"]["exec"]["command"] = {
        "/bin/sh", "-c", "test -e by-probe || { " + leave("by-probe") + "}; test -e c.up"};
    return c;
}

/// Where no cgroup can be made: as on many machines for those who are not root.
const std::vector<std::string> without_cgroups{
    "/usr/bin/unshare",
    "-m",
    "/bin/sh",
    "-c",
    "for group in $(grep ' - cgroup2 ' /proc/self/mountinfo | cut -d ' ' -f 5); do "
    "mount -o remount,bind,ro $group || exit 99; done; exec \"$@\"",
    "sh"};

/// With cgroups where they can be made, and without them.
std::vector<std::string> any_wrapper() {
    const bool with_cgroups = GENERATE(true, false);
    CAPTURE(with_cgroups);
    if (!with_cgroups && ::geteuid() != 0) SKIP("needs root to make cgroups read-only");
    return with_cgroups ? std::vector<std::string>{} : without_cgroups;
}

/// A sanitizer needs descriptors itself, to find out whether memory can be read.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool sanitized = true;
#elif defined(__has_feature)
constexpr bool sanitized = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool sanitized = false;
#endif

int pid_in(const Supervised& supervised, const std::string& file) {
    return std::stoi(contents(supervised.folder() / file));
}

/// The end comes from the kernel, or from another process, when these have time.
template <class Predicate>
bool comes_true(Predicate predicate) {
    const auto deadline = tools::soon();
    while (!predicate()) {
        if (std::chrono::steady_clock::now() > deadline) return false;
        ::sched_yield();
    }
    return true;
}

} // namespace

TEST_CASE("what a container, its probes and its hooks have left behind ends with it") {
    const auto wrapper = any_wrapper();
    const bool in_namespace = GENERATE(false, true);
    CAPTURE(in_namespace);
    if (in_namespace && ::geteuid() != 0) SKIP("needs root for a PID namespace");
    Setting setting{.wrapper = wrapper};
    if (in_namespace) setting.arguments = {"--pid-namespace"};
    Supervised supervised{pod("p", {leaving()}).dump(), setting};
    supervised.until(ready(true));
    std::vector<int> left;
    if (!in_namespace) { // else the numbers are those of the namespace
        for (const char* const file : {"by-container", "by-post-start", "by-probe"}) {
            left.push_back(pid_in(supervised, file));
            CHECK(process_lives(left.back())); // it lives as long as its container
        }
    }
    const std::string sleepers = supervised.folder().string();
    CHECK(supervised.stop() == 0);
    CHECK(std::filesystem::exists(supervised.folder() / "by-pre-stop"));
    if (!in_namespace) left.push_back(pid_in(supervised, "by-pre-stop"));
    for (const int pid : left) CHECK_FALSE(process_lives(pid));
    // Whatever its number: nothing runs in the folder any more.
    for (const auto& entry : std::filesystem::directory_iterator{"/proc"}) {
        std::error_code error;
        const auto where = std::filesystem::read_symlink(entry.path() / "cwd", error);
        if (!error && where.string() == sleepers) FAIL_CHECK(entry.path().string() << " is left");
    }
}

TEST_CASE("a container that is restarted finds nothing that its last run has left") {
    const auto wrapper = any_wrapper();
    json c = shell("c", "test -e first && { touch second; while :; do /bin/sleep 0.05; done; }; " +
                            leave("first") + "exit 1");
    Supervised supervised{pod("p", {c}).dump(), {.wrapper = wrapper}};
    supervised.until(running_after(1));
    CHECK(comes_true([&] { return !process_lives(pid_in(supervised, "first")); }));
    CHECK(supervised.stop() == 0);
}

TEST_CASE("orphans that end are reaped while the supervisor runs") {
    json c = obedient("c");
    c["lifecycle"]["postStart"] = exec_handler("(/bin/sleep 0.01 & echo $! > orphan)");
    Supervised supervised{pod("p", {c}).dump()};
    supervised.until(ready(true));
    const int orphan = pid_in(supervised, "orphan");
    CHECK(comes_true([&] { return !process_exists(orphan); }));
    CHECK(supervised.stop() == 0);
    CHECK(supervised.all(terminated).size() >= 1);
    CHECK(phase_is("Succeeded")(supervised.lines().back()));
}

TEST_CASE("when somebody kills the supervisor its containers end too") {
    const auto wrapper = any_wrapper();
    Supervised supervised{pod("p", {leaving()}).dump(), {.wrapper = wrapper}};
    const json running = supervised.until(ready(true));
    std::vector<int> all{pid_of(container(running))};
    for (const char* const file : {"by-container", "by-post-start", "by-probe"})
        all.push_back(pid_in(supervised, file));
    std::string cgroup = contents("/proc/" + std::to_string(all[0]) + "/cgroup");
    supervised.program().signal(SIGKILL);
    CHECK(supervised.program().wait() == 128 + SIGKILL);
    for (const int pid : all) CHECK(comes_true([&] { return !process_lives(pid); }));
    // The guardian removes the cgroup, and ends.
    const std::size_t at = cgroup.find("/probekit-");
    CHECK((at != std::string::npos) == (wrapper.empty() && ::geteuid() == 0));
    if (at == std::string::npos) return;
    const std::string name = cgroup.substr(at, cgroup.find('/', at + 1) - at);
    std::string mounted;
    std::istringstream mounts{contents("/proc/self/mountinfo")};
    for (std::string line; std::getline(mounts, line);)
        if (line.find(" - cgroup2 ") != std::string::npos) {
            std::istringstream fields{line};
            for (int field = 0; field != 5; ++field) fields >> mounted;
        }
    const std::size_t own = cgroup.rfind("0::", at) + 3;
    const std::string path = mounted + cgroup.substr(own, at - own) + name;
    CHECK(comes_true([&] { return !std::filesystem::exists(path); }));
}

TEST_CASE(
    "a guardian that somebody kills is missed, and replaced, and the new one ends the containers") {
    const auto wrapper = any_wrapper();
    Supervised supervised{pod("p", {leaving()}).dump(), {.wrapper = wrapper}};
    const json running = supervised.until(ready(true));
    const int supervisor = supervised.program().pid();
    const auto guardian = [&] {
        const std::string parent = "\nPPid:\t" + std::to_string(supervisor) + "\n";
        for (const auto& entry : std::filesystem::directory_iterator{"/proc"}) {
            const std::string status = contents(entry.path() / "status");
            if (status.starts_with("Name:\tsupervisor-end\n") &&
                status.find(parent) != std::string::npos)
                return std::stoi(entry.path().filename().string());
        }
        return 0;
    };
    CHECK(comes_true([&] { return guardian() > 0; })); // it gives itself the name
    const int first = guardian();
    REQUIRE(first > 0);

    // None can be started while no descriptor can be had.
    rlimit before = {};
    REQUIRE(::prlimit(supervisor, RLIMIT_NOFILE, nullptr, &before) == 0);
    rlimit none = before;
    none.rlim_cur = 3;
    if (!sanitized) REQUIRE(::prlimit(supervisor, RLIMIT_NOFILE, &none, nullptr) == 0);
    ::kill(first, SIGKILL);
    if (!sanitized)
        REQUIRE(supervised.program().errors().line() ==
                "supervisor: there is no process supervisor-end, and if this one is killed its "
                "containers stay: Too many open files");
    REQUIRE(::prlimit(supervisor, RLIMIT_NOFILE, &before, nullptr) == 0);
    REQUIRE(supervised.program().errors().line() ==
            "supervisor: the process supervisor-end, which ends the containers if this one is "
            "killed, had ended; there is another one");
    CHECK_FALSE(process_exists(first)); // it was reaped
    CHECK(comes_true([&] { return guardian() > 0; }));
    std::vector<int> all{pid_of(container(running)), guardian()};
    for (const char* const file : {"by-container", "by-post-start", "by-probe"})
        all.push_back(pid_in(supervised, file));
    for (const int pid : all) CHECK(process_lives(pid));
    supervised.program().signal(SIGKILL);
    CHECK(supervised.program().wait() == 128 + SIGKILL);
    for (const int pid : all) CHECK(comes_true([&] { return !process_lives(pid); }));
}

TEST_CASE("with --pid-namespace probes and hooks run in the namespace of their container") {
    if (::geteuid() != 0) SKIP("needs root for a PID namespace");
    const std::string where = "readlink /proc/self/ns/pid > ";
    json c = shell("c", where + "c.up; trap 'exit 7' QUIT; while :; do /bin/sleep 0.05; done");
    const std::string inside = "test \"$(readlink /proc/self/ns/pid)\" = \"$(cat c.up)\"";
    c["readinessProbe"] = exec_handler("sleep 0; " + inside + " && kill -0 1");
    c["readinessProbe"]["periodSeconds"] = 1;
    c["readinessProbe"]["failureThreshold"] = 1000;
    c["lifecycle"]["postStart"] =
        exec_handler("until test -s c.up; do /bin/sleep 0.01; done; " + inside);
    // Process 1 of any other namespace is spared.
    c["lifecycle"]["preStop"] = exec_handler(inside + " && kill -QUIT 1; exec /bin/sleep 1000");
    Supervised supervised{pod("p", {c}, {{"terminationGracePeriodSeconds", 1000000}}).dump(),
                          {.scale = "1", .arguments = {"--pid-namespace"}}};
    supervised.until(ready(true));
    CHECK(supervised.all(event("FailedPostStartHook")).empty());
    CHECK(contents(supervised.folder() / "c.up") !=
          std::filesystem::read_symlink("/proc/self/ns/pid").string() + "\n");
    CHECK(supervised.stop() == 0);
    CHECK(container(supervised.lines().back())["state"]["terminated"]["exitCode"] == 7);
}

TEST_CASE("what ran before the supervisor took its place is not the supervisor's") {
    Supervised supervised{
        pod("p", {leaving()}).dump(),
        {.wrapper = {"/bin/sh", "-c",
                     "/bin/sleep 1000 </dev/null >/dev/null 2>&1 & echo $! > before; exec \"$@\"",
                     "sh"}}};
    supervised.until(ready(true));
    const int before = pid_in(supervised, "before");
    CHECK(supervised.stop() == 0);
    CHECK(process_lives(before));
    ::kill(before, SIGKILL);
    for (const char* const file : {"by-container", "by-post-start", "by-probe", "by-pre-stop"})
        CHECK_FALSE(process_lives(pid_in(supervised, file)));
}
