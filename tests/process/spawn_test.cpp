// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <probekit/process/detail/spawn.hpp>

#include <atomic>
#include <cstdlib>
#include <fcntl.h>
#include <filesystem>
#include <grp.h>
#include <pwd.h>
#include <string>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <thread>
#include <vector>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "../tools/forked.hpp"
#include "process_tools.hpp"

namespace {

using namespace probekit;
using namespace probekit::tests;
using detail::Child;
using detail::ChildState;
using detail::Reaped;
using detail::SpawnPlan;

/// The ways to start a process: the one that is chosen on this system, and the one for systems
/// without it.
using Spawn = std::error_code (*)(const SpawnPlan&, const std::array<int, 3>&, Child&) noexcept;

struct Run {
    std::error_code error;
    std::string output;
    Reaped end;
};

/// Starts a process, takes all its output, and reaps it.
Run run(Spawn spawn, const ProcessSpec& spec) {
    Pipe pipe;
    Child child;
    Run result;
    result.error = spawn(SpawnPlan{spec}, {-1, pipe.write_end, pipe.write_end}, child);
    result.output = pipe.drain();
    if (!result.error) result.end = detail::reap(child, 0);
    if (child.pidfd >= 0) ::close(child.pidfd);
    return result;
}

void close_pidfd(const Child& child) {
    if (child.pidfd >= 0) ::close(child.pidfd);
}

/// The value of "Name:" in the text of /proc/PID/status.
std::string status_field(const std::string& text, const std::string& name) {
    const std::size_t at = text.find(name + ":\t");
    REQUIRE(at != std::string::npos);
    const std::size_t begin = at + name.size() + 2;
    return text.substr(begin, text.find('\n', begin) - begin);
}

} // namespace

TEST_CASE("a process runs and its exit status is known") {
    const Spawn spawn = GENERATE(detail::spawn, detail::spawn_portable);

    CHECK(run(spawn, shell("exit 0")).end.status == ExitStatus{0, 0});
    CHECK(run(spawn, shell("exit 7")).end.status == ExitStatus{7, 0});
    CHECK(run(spawn, shell("exit 255")).end.status == ExitStatus{255, 0});
    CHECK(run(spawn, shell("kill -KILL $$")).end.status == ExitStatus{0, SIGKILL});
    CHECK(run(spawn, shell("kill -TERM $$")).end.status == ExitStatus{0, SIGTERM});
    CHECK(run(spawn, shell("echo one; echo two >&2")).output == "one\ntwo\n");
    CHECK(has_no_children());
}

TEST_CASE("a running process is not reaped, and only once when it has ended") {
    Pipe input;
    Pipe output;
    Child child;
    REQUIRE(!detail::spawn(SpawnPlan{shell("read word; exit 3")},
                           {input.read_end, output.write_end, -1}, child));
    CHECK(detail::reap(child).state == ChildState::running);
    input.close_write_end();
    output.drain();
    const Reaped end = detail::reap(child, 0);
    CHECK(end.state == ChildState::ended);
    CHECK(end.status == ExitStatus{3, 0});
    close_pidfd(child);
    CHECK(has_no_children());
}

TEST_CASE(
    "a process without the right to be executed gives the error of execve and leaves nothing") {
    const Spawn spawn = GENERATE(detail::spawn, detail::spawn_portable);
    const TemporaryFolder folder;
    const std::string plain_text = folder.file("text", "hello\n", 0644);
    const std::string no_interpreter = folder.file("script", "echo hello\n", 0755);
    const std::string lost_interpreter = folder.file("lost", "#!/no/such/interpreter\n", 0755);
    const auto error_of = [&](std::vector<std::string> command) {
        ProcessSpec spec;
        spec.command = std::move(command);
        return run(spawn, spec).error;
    };

    CHECK(error_of({"/no/such/program"}) == std::errc::no_such_file_or_directory);
    CHECK(error_of({"no-such-program-anywhere"}) == std::errc::no_such_file_or_directory);
    CHECK(error_of({plain_text}) == std::errc::permission_denied);
    CHECK(error_of({folder.path().string()}) == std::errc::permission_denied);
    CHECK(error_of({plain_text + "/below"}) == std::errc::not_a_directory);
    CHECK(error_of({no_interpreter}) == std::errc::executable_format_error);
    CHECK(error_of({lost_interpreter}) == std::errc::no_such_file_or_directory);
    CHECK(error_of({std::string(5000, 'x')}) == std::errc::no_such_file_or_directory);
    CHECK(error_of({"./" + std::string(5000, 'x')}) == std::errc::filename_too_long);

    ProcessSpec nowhere = shell("true");
    nowhere.working_directory = "/no/such/folder";
    CHECK(run(spawn, nowhere).error == std::errc::no_such_file_or_directory);
    CHECK(has_no_children());
}

TEST_CASE("a process that cannot be executed sends the program no SIGCHLD") {
    const SignalAction action{SIGCHLD, count_signal};
    signals_seen = 0;
    ProcessSpec spec;
    spec.command = {"/no/such/program"};
    CHECK(run(detail::spawn, spec).error == std::errc::no_such_file_or_directory);
    if (has_clone()) CHECK(signals_seen == 0);
}

TEST_CASE("a program without a slash is searched for in the PATH of its own environment") {
    const Spawn spawn = GENERATE(detail::spawn, detail::spawn_portable);
    const TemporaryFolder folder;
    folder.file("denied/tool", "#!/bin/sh\necho denied\n", 0644);
    folder.file("first/tool", "#!/bin/sh\necho first\n", 0755);
    folder.file("second/tool", "#!/bin/sh\necho second\n", 0755);
    folder.file("here/tool", "#!/bin/sh\necho here\n", 0755);
    const std::string root = folder.path().string();
    const auto with_path = [&](const std::string& path) {
        ProcessSpec spec;
        spec.command = {"tool"};
        spec.environment = {"PATH=" + path};
        spec.working_directory = root + "/here";
        return run(spawn, spec);
    };

    CHECK(with_path(root + "/first:" + root + "/second").output == "first\n");
    CHECK(with_path(root + "/none:" + root + "/second:" + root + "/first").output == "second\n");
    CHECK(with_path(root + "/denied:" + root + "/second").output == "second\n");
    CHECK(with_path(root + "/denied:" + root + "/none").error == std::errc::permission_denied);
    CHECK(with_path(root + "/none").error == std::errc::no_such_file_or_directory);
    CHECK(with_path(root + "/first/tool").error ==
          std::errc::no_such_file_or_directory); // a file, not a folder
    // An empty element is the working directory, as for execvp.
    CHECK(with_path("").output == "here\n");
    CHECK(with_path(root + "/none:").output == "here\n");

    ProcessSpec without_path;
    without_path.command = {"sh", "-c", "echo found"};
    without_path.inherit_environment = false;
    CHECK(run(spawn, without_path).output == "found\n");
}

TEST_CASE("the path of a relative program starts at the working directory") {
    const Spawn spawn = GENERATE(detail::spawn, detail::spawn_portable);
    const TemporaryFolder folder;
    folder.file("bin/tool", "#!/bin/sh\npwd\n", 0755);
    ProcessSpec spec;
    spec.command = {"bin/tool"};
    spec.working_directory = folder.path().string();
    CHECK(run(spawn, spec).output == std::filesystem::canonical(folder.path()).string() + "\n");
}

TEST_CASE("the environment is inherited, and what is given wins") {
    const Spawn spawn = GENERATE(detail::spawn, detail::spawn_portable);
    ::setenv("PROBEKIT_TEST_ONE", "inherited", 1);
    ::setenv("PROBEKIT_TEST_ONE_MORE", "inherited too", 1);
    ProcessSpec spec = shell("echo \"$PROBEKIT_TEST_ONE,$PROBEKIT_TEST_ONE_MORE\"");
    CHECK(run(spawn, spec).output == "inherited,inherited too\n");
    spec.environment = {"PROBEKIT_TEST_ONE=earlier", "PROBEKIT_TEST_ONE=given=twice"};
    CHECK(run(spawn, spec).output == "given=twice,inherited too\n");

    const SpawnPlan plan{shell("echo $PROBEKIT_TEST_ONE")};
    ::setenv("PROBEKIT_TEST_ONE", "changed", 1);
    Pipe pipe;
    Child child;
    REQUIRE(!spawn(plan, {-1, pipe.write_end, -1}, child));
    CHECK(pipe.drain() == "inherited\n"); // of the moment the plan was made
    CHECK(detail::reap(child, 0).status.ok());
    close_pidfd(child);
    ::unsetenv("PROBEKIT_TEST_ONE");
    ::unsetenv("PROBEKIT_TEST_ONE_MORE");

    ProcessSpec only;
    only.command = {"/usr/bin/env"};
    only.inherit_environment = false;
    only.environment = {"A=1", "B=", "A=2"};
    CHECK(run(spawn, only).output == "B=\nA=2\n");
    only.environment = {};
    CHECK(run(spawn, only).output.empty());
}

TEST_CASE(
    "no descriptor but 0, 1 and 2 reaches the process, not even those without close-on-exec") {
    const Spawn spawn = GENERATE(detail::spawn, detail::spawn_portable);
    const int low = ::dup(0);
    const int high = ::fcntl(0, F_DUPFD, 300);
    REQUIRE(low > 2);
    REQUIRE(high >= 300);
    // The shell opens the folder it lists itself.
    CHECK(run(spawn, shell("cd /proc/$$/fd && echo *")).output == "0 1 2 3\n");
    CHECK(run(spawn, shell("test ! -e /proc/$$/fd/" + std::to_string(high))).end.status.ok());
    ::close(low);
    ::close(high);
}

TEST_CASE("streams that are not given are the null device") {
    const Spawn spawn = GENERATE(detail::spawn, detail::spawn_portable);
    Child child;
    Pipe pipe;
    const SpawnPlan plan{shell(
        "test /proc/$$/fd/0 -ef /dev/null && test /proc/$$/fd/1 -ef /dev/null && echo yes >&2;"
        "echo lost; cat >&2")};
    REQUIRE(!spawn(plan, {-1, -1, pipe.write_end}, child));
    CHECK(pipe.drain() == "yes\n");
    CHECK(detail::reap(child, 0).state == ChildState::ended);
    close_pidfd(child);
}

TEST_CASE("a process reads from one pipe and writes to another") {
    const Spawn spawn = GENERATE(detail::spawn, detail::spawn_portable);
    Child child;
    Pipe input;
    Pipe output;
    REQUIRE(!spawn(SpawnPlan{shell("cat")}, {input.read_end, output.write_end, -1}, child));
    REQUIRE(::write(input.write_end, "hello", 5) == 5);
    input.close_write_end();
    CHECK(output.drain() == "hello");
    CHECK(detail::reap(child, 0).state == ChildState::ended);
    close_pidfd(child);
}

TEST_CASE("the program's own stdout and stderr can be given crossed") {
    const Spawn spawn = GENERATE(detail::spawn, detail::spawn_portable);
    Child child;
    Pipe first;
    Pipe second;
    const int saved_out = ::fcntl(1, F_DUPFD_CLOEXEC, 3);
    const int saved_err = ::fcntl(2, F_DUPFD_CLOEXEC, 3);
    ::dup2(first.write_end, 1);
    ::dup2(second.write_end, 2);
    const std::error_code error =
        spawn(SpawnPlan{shell("echo out; echo err >&2")}, {-1, 2, 1}, child);
    ::dup2(saved_out, 1);
    ::dup2(saved_err, 2);
    ::close(saved_out);
    ::close(saved_err);
    REQUIRE(!error);
    CHECK(first.drain() == "err\n");
    CHECK(second.drain() == "out\n");
    CHECK(detail::reap(child, 0).state == ChildState::ended);
    close_pidfd(child);
}

TEST_CASE("the program's own stdout where it has none is the null device") {
    const Spawn spawn = GENERATE(detail::spawn, detail::spawn_portable);
    Child child;
    Pipe pipe;
    const int saved = ::fcntl(1, F_DUPFD_CLOEXEC, 3);
    ::close(1);
    const std::error_code error =
        spawn(SpawnPlan{shell("test /proc/$$/fd/1 -ef /dev/null && echo yes >&2")},
              {-1, 1, pipe.write_end}, child);
    if (child.pidfd == 1) child.pidfd = ::fcntl(1, F_DUPFD_CLOEXEC, 3); // it took the free number
    ::dup2(saved, 1);
    ::close(saved);
    REQUIRE(!error);
    CHECK(pipe.drain() == "yes\n");
    CHECK(detail::reap(child, 0).state == ChildState::ended);
    close_pidfd(child);
}

TEST_CASE("a stream that is not open is an error") {
    const Spawn spawn = GENERATE(detail::spawn, detail::spawn_portable);
    Child child;
    CHECK(spawn(SpawnPlan{shell("exit 0")}, {-1, 9999, -1}, child) ==
          std::errc::bad_file_descriptor);
    CHECK(child.pid == -1);
    CHECK(has_no_children());
}

TEST_CASE("the process has no blocked, ignored or caught signals, and the program keeps its own") {
    const Spawn spawn = GENERATE(detail::spawn, detail::spawn_portable);
    const SignalAction ignored_pipe{SIGPIPE, SIG_IGN};
    const SignalAction ignored_hangup{SIGHUP, SIG_IGN};
    const SignalAction caught{SIGUSR1, count_signal};
    sigset_t blocked;
    sigset_t before;
    ::sigemptyset(&blocked);
    ::sigaddset(&blocked, SIGTERM);
    ::sigaddset(&blocked, SIGUSR2);
    REQUIRE(::pthread_sigmask(SIG_BLOCK, &blocked, &before) == 0);

    ProcessSpec spec;
    spec.command = {"cat", "/proc/self/status"};
    const std::string status = run(spawn, spec).output;

    sigset_t after;
    REQUIRE(::pthread_sigmask(SIG_SETMASK, &before, &after) == 0);
    CHECK(status_field(status, "SigBlk") == "0000000000000000");
    // glibc's posix_spawn may leave its own signals 32 and 33 ignored.
    CHECK((std::stoull(status_field(status, "SigIgn"), nullptr, 16) & ~0x180000000U) == 0);
    CHECK(status_field(status, "SigCgt") == "0000000000000000");
    CHECK(::sigismember(&after, SIGTERM) == 1);
    CHECK(::sigismember(&after, SIGUSR2) == 1);
    CHECK(::sigismember(&after, SIGINT) == ::sigismember(&before, SIGINT));
    signals_seen = 0;
    ::raise(SIGUSR1);
    ::raise(SIGPIPE);
    CHECK(signals_seen == 1);
}

TEST_CASE("the process leads its own process group") {
    const Spawn spawn = GENERATE(detail::spawn, detail::spawn_portable);
    const pid_t own_group = ::getpgrp();
    Pipe input;
    Child child;
    REQUIRE(!spawn(SpawnPlan{shell("read word")}, {input.read_end, -1, -1}, child));
    CHECK(::getpgid(child.pid) == child.pid);
    CHECK(::getpgrp() == own_group);
    input.close_write_end();
    CHECK(detail::reap(child, 0).state == ChildState::ended);
    close_pidfd(child);
}

TEST_CASE("a signal reaches the whole group") {
    const Spawn spawn = GENERATE(detail::spawn, detail::spawn_portable);
    Pipe pipe;
    Child child;
    REQUIRE(!spawn(SpawnPlan{shell("sleep 1000 & sleep 1000 & echo; wait")},
                   {-1, pipe.write_end, -1}, child));
    char ready = 0;
    REQUIRE(::read(pipe.read_end, &ready, 1) == 1);
    CHECK(!detail::signal_group(child, SIGKILL));
    CHECK(pipe.drain().empty()); // ends only when all three have closed the pipe
    CHECK(detail::reap(child, 0).status == ExitStatus{0, SIGKILL});
    close_pidfd(child);
}

TEST_CASE("a signal reaches what is left of the group until its leader has been reaped, by pidfd "
          "even afterwards") {
    const Spawn spawn = GENERATE(detail::spawn, detail::spawn_portable);
    const bool before_reaping = GENERATE(true, false);
    Pipe pipe;
    Pipe leader;
    Child child;
    REQUIRE(!spawn(SpawnPlan{shell("exec 3>&2; sleep 1000 2>/dev/null 3>&- & echo $!")},
                   {-1, pipe.write_end, leader.write_end}, child));
    char digits[16] = {};
    REQUIRE(::read(pipe.read_end, digits, sizeof digits - 1) > 0);
    const pid_t left_behind = std::atoi(digits);
    leader.drain(); // the leader has ended
    if (!before_reaping) CHECK(detail::reap(child, 0).status.ok());

    const std::error_code error = detail::signal_group(child, SIGKILL);
    if (before_reaping || (child.pidfd >= 0 && kernel_is_at_least(6, 9)))
        CHECK(!error);
    else {
        CHECK(error == std::errc::no_such_process);
        ::kill(left_behind, SIGKILL);
    }
    CHECK(pipe.drain().empty());
    if (before_reaping) CHECK(detail::reap(child, 0).status.ok());
    close_pidfd(child);
}

TEST_CASE("a leader that has left its group is signalled all the same") {
    const Spawn spawn = GENERATE(detail::spawn, detail::spawn_portable);
    Pipe pipe;
    Child child;
    ProcessSpec spec;
    spec.command = {PROBEKIT_LEAVE_GROUP, std::to_string(::getpgrp())};
    REQUIRE(!spawn(SpawnPlan{spec}, {-1, pipe.write_end, -1}, child));
    char ready = 0;
    REQUIRE(::read(pipe.read_end, &ready, 1) == 1);
    CHECK(!detail::signal_group(child, SIGKILL));
    CHECK(detail::reap(child, 0).status == ExitStatus{0, SIGKILL});
    close_pidfd(child);
}

TEST_CASE(
    "a program that ignores SIGCHLD does not cost the exit status where the kernel can tell it") {
    const Spawn spawn = GENERATE(detail::spawn, detail::spawn_portable);
    const SignalAction ignored{SIGCHLD, SIG_IGN};
    Pipe input;
    Child child;
    REQUIRE(!spawn(SpawnPlan{shell("read word; exit 9")}, {input.read_end, -1, -1}, child));
    input.close_write_end();
    const Reaped end = detail::reap(child, 0);
    if (child.pidfd >= 0 && kernel_is_at_least(6, 15)) {
        CHECK(end.state == ChildState::ended);
        CHECK(end.status == ExitStatus{9, 0});
    } else
        CHECK(end.state == ChildState::lost);
    close_pidfd(child);
}

TEST_CASE(
    "a program that reaps every child does not cost the exit status where the kernel can tell it") {
    const Spawn spawn = GENERATE(detail::spawn, detail::spawn_portable);
    Pipe pipe;
    Child child;
    REQUIRE(!spawn(SpawnPlan{shell("kill -USR1 $$")}, {-1, pipe.write_end, -1}, child));
    pipe.drain();
    int status = 0;
    REQUIRE(::waitpid(-1, &status, 0) == child.pid);
    const Reaped end = detail::reap(child);
    if (child.pidfd >= 0 && kernel_is_at_least(6, 15)) {
        CHECK(end.state == ChildState::ended);
        CHECK(end.status == ExitStatus{0, SIGUSR1});
    } else
        CHECK(end.state == ChildState::lost);
    CHECK(detail::signal_group(child, SIGKILL) == std::errc::no_such_process);
    close_pidfd(child);
}

TEST_CASE("the program's other children are left alone") {
    const pid_t own = ::fork();
    if (own == 0) ::_exit(5);
    CHECK(run(detail::spawn, shell("exit 1")).end.status == ExitStatus{1, 0});
    ProcessSpec missing;
    missing.command = {"/no/such/program"};
    CHECK(run(detail::spawn, missing).error);
    int status = 0;
    CHECK(::waitpid(own, &status, 0) == own);
    CHECK(WEXITSTATUS(status) == 5);
}

TEST_CASE("resource limits are set") {
    ProcessSpec spec = shell("ulimit -S -n; ulimit -H -n; ulimit -c");
    spec.limits = {{RLIMIT_NOFILE, 40, 50}, {RLIMIT_CORE, 0, RLIM_INFINITY}};
    CHECK(run(detail::spawn_portable, spec).error == std::errc::function_not_supported);
    if (!has_clone()) return;
    CHECK(run(detail::spawn, spec).output == "40\n50\n0\n");
    spec.limits = {{RLIMIT_NOFILE, 60, 50}};
    CHECK(run(detail::spawn, spec).error == std::errc::invalid_argument);
    CHECK(has_no_children());
}

TEST_CASE("user and group are changed, and supplementary groups given up") {
    ProcessSpec spec;
    spec.command = {"cat", "/proc/self/status"};
    spec.user = 65534;
    CHECK(run(detail::spawn_portable, spec).error == std::errc::function_not_supported);
    if (!has_clone()) return;
    if (!is_root()) {
        CHECK(run(detail::spawn, spec).error == std::errc::operation_not_permitted);
        spec.user = ::geteuid();
        CHECK(run(detail::spawn, spec).end.status.ok()); // what one is already needs no privilege
        return;
    }
    spec.group = 65533;
    const std::string both = run(detail::spawn, spec).output;
    CHECK(status_field(both, "Uid") == "65534\t65534\t65534\t65534");
    CHECK(status_field(both, "Gid") == "65533\t65533\t65533\t65533");
    CHECK(status_field(both, "Groups").find_first_not_of(' ') == std::string::npos);
    CHECK(status_field(both, "CapEff") == "0000000000000000");

    // The folder is entered as that user, and so is the program.
    const TemporaryFolder folder;
    REQUIRE(::chmod(folder.path().c_str(), 0700) == 0);
    spec.working_directory = folder.path().string();
    CHECK(run(detail::spawn, spec).error == std::errc::permission_denied);
    CHECK(::geteuid() == 0);
    CHECK(has_no_children());
}

TEST_CASE("a user without a group gets the groups of a login, never those of the program") {
    ProcessSpec spec;
    spec.command = {"id", "-G"};
    if (!has_clone() || !is_root()) SKIP("only root can become another user");
    std::size_t users = 0;
    ::setpwent();
    while (const passwd* const entry = ::getpwent()) {
        if (++users > 8) break;
        const std::string name = entry->pw_name;
        CAPTURE(name);
        spec.user = entry->pw_uid;
        if (entry->pw_uid == 0) continue; // is what the program is already
        spec.command = {"id", "-G"};
        const std::string groups = run(detail::spawn, spec).output;
        CHECK(groups == run(detail::spawn, shell("id -G " + name)).output);
        spec.command = {"id", "-g"};
        CHECK(run(detail::spawn, spec).output == std::to_string(entry->pw_gid) + "\n");
    }
    ::endpwent();
    CHECK(users > 1);

    spec.user = 3'999'999'999; // nobody has this one
    REQUIRE(::getpwuid(*spec.user) == nullptr);
    CHECK(run(detail::spawn, spec).error == Errc::user_has_no_group);
    spec.group = 65533;
    CHECK(run(detail::spawn, spec).output == "65533\n");
    CHECK(has_no_children());
}

TEST_CASE("a process keeps its own identity, but not root's group without being root") {
    if (!has_clone() || !is_root()) SKIP("only root can become another user");
    ProcessSpec spec;
    spec.command = {"id", "-g"};
    spec.user = 3'999'999'999;
    const auto as_group = [&](unsigned group) {
        return tools::in_child([&] {
            if (::setgroups(0, nullptr) != 0 || ::setresgid(group, group, group) != 0 ||
                ::setresuid(*spec.user, *spec.user, *spec.user) != 0)
                return false;
            const Run result = run(detail::spawn, spec);
            return group == 0 ? result.error == Errc::user_has_no_group
                              : result.output == std::to_string(group) + "\n";
        });
    };
    CHECK(as_group(65533));
    CHECK(as_group(0));
}

TEST_CASE("a process can give up that programs get it more privileges") {
    ProcessSpec spec;
    spec.command = {"cat", "/proc/self/status"};
    const bool own = status_field(run(detail::spawn, spec).output, "NoNewPrivs") == "1";
    spec.no_new_privs = true;
    CHECK(run(detail::spawn_portable, spec).error == std::errc::function_not_supported);
    if (!has_clone()) return;
    CHECK(status_field(run(detail::spawn, spec).output, "NoNewPrivs") == "1");
    CHECK((::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1) == own); // the program has kept its own
}

TEST_CASE("a process can be process 1 of its own PID namespace") {
    ProcessSpec spec = shell("echo $$; kill -TERM $$; sleep 1000 & echo still here");
    spec.pid_namespace = true;
    CHECK(run(detail::spawn_portable, spec).error == std::errc::function_not_supported);
    if (!has_clone()) return;
    if (!is_root()) {
        CHECK(run(detail::spawn, spec).error == std::errc::operation_not_permitted);
        return;
    }
    const Run result =
        run(detail::spawn,
            spec); // also shows that the sleeper, which has the pipe open, is killed with it
    CHECK(result.output == "1\nstill here\n");
    CHECK(result.end.status.ok());
}

TEST_CASE("a process can run in the PID namespace of another one") {
    const char* const where = "readlink /proc/self/ns/pid; echo $$";
    const std::string ours = run(detail::spawn, shell(where)).output;
    ProcessSpec first = shell("read line; exit 0");
    first.pid_namespace = true;
    ProcessSpec second = shell(where);
    second.pid_namespace_fd = ::open("/proc/self/ns/pid", O_RDONLY | O_CLOEXEC);
    CHECK(run(detail::spawn_portable, second).error == std::errc::function_not_supported);
    if (!has_clone()) return;
    if (!is_root()) {
        CHECK(run(detail::spawn, second).error == std::errc::operation_not_permitted);
        ::close(second.pid_namespace_fd);
        return;
    }
    CHECK(run(detail::spawn, second).error == std::error_code{}); // its own
    ::close(second.pid_namespace_fd);

    Pipe input;
    Child init;
    REQUIRE(!detail::spawn(SpawnPlan{first}, {input.read_end, -1, -1}, init));
    const std::string path = "/proc/" + std::to_string(init.pid) + "/ns/pid";
    second.pid_namespace_fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    REQUIRE(second.pid_namespace_fd >= 0);
    const Run inside = run(detail::spawn, second);
    CHECK(inside.end.status.ok());
    CHECK(inside.output.substr(0, inside.output.find('\n')) ==
          std::filesystem::read_symlink(path).string());
    CHECK(std::stoi(inside.output.substr(inside.output.find('\n'))) < 10);
    const Run missing = [&] {
        ProcessSpec spec = second;
        spec.command = {"/no/such/program"};
        return run(detail::spawn, spec);
    }();
    CHECK(missing.error == std::errc::no_such_file_or_directory);
    // This thread has not moved: what it starts next runs where it runs.
    CHECK(run(detail::spawn, shell("readlink /proc/self/ns/pid")).output ==
          ours.substr(0, ours.find('\n') + 1));

    input.close_write_end();
    CHECK(detail::reap(init, 0).status.ok());
    close_pidfd(init);
    const Run late = run(detail::spawn, second);
    CHECK(late.error == std::errc::no_such_process);
    CHECK_FALSE(is_local_fault(late.error));
    ::close(second.pid_namespace_fd);
    second.pid_namespace_fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    CHECK(run(detail::spawn, second).error == std::errc::invalid_argument);
    ::close(second.pid_namespace_fd);
    CHECK(run(detail::spawn, shell("exit 0")).end.status.ok());
    CHECK(has_no_children());
}

TEST_CASE("a process joins the cgroup that it is told, and what it starts stays there") {
    ProcessSpec spec = shell("cat /proc/self/cgroup; /bin/sleep 1000 >/dev/null 2>&1 &");
    spec.cgroup = "/no/such/group";
    CHECK(run(detail::spawn_portable, spec).error == std::errc::function_not_supported);
    if (!has_clone()) return;
    CHECK(run(detail::spawn, spec).error == std::errc::no_such_file_or_directory);
    const TestCgroup group;
    if (group.path().empty()) SKIP("no cgroup of version 2 can be made here");
    spec.cgroup = group.path();
    const Run joined = run(detail::spawn, spec);
    CHECK(joined.end.status.ok());
    CHECK(joined.output.find("/" + group.name() + "\n") != std::string::npos);
    CHECK(group.populated()); // the sleeper
    CHECK(run(detail::spawn, shell("cat /proc/self/cgroup")).output.find(group.name()) ==
          std::string::npos);
    CHECK(has_no_children());
}

TEST_CASE("without descriptors to spare a process is not started, and later it is") {
    rlimit before = {};
    REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
    const rlimit few = {64, before.rlim_max};
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &few) == 0);
    std::vector<int> all;
    for (int taken = ::dup(0); taken >= 0; taken = ::dup(0)) all.push_back(taken);
    const SpawnPlan plan{shell("exit 0")};
    Child child;
    const std::error_code error = detail::spawn(plan, {-1, -1, -1}, child);
    for (const int taken : all) ::close(taken);
    REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);

    CHECK(error == std::errc::too_many_files_open);
    CHECK(is_local_fault(error));
    CHECK(child.pid == -1);
    REQUIRE(!detail::spawn(plan, {-1, -1, -1}, child));
    CHECK(detail::reap(child, 0).status.ok());
    close_pidfd(child);
    CHECK(has_no_children());
}

TEST_CASE("several threads may start processes at once, from one plan") {
    const SpawnPlan good{shell("exit 4")};
    ProcessSpec missing;
    missing.command = {"/no/such/program"};
    const SpawnPlan bad{missing};
    std::atomic<int> wrong = 0;
    {
        std::vector<std::jthread> threads;
        for (int i = 0; i != 4; ++i)
            threads.emplace_back([&] {
                for (int round = 0; round != 10; ++round) {
                    Child child;
                    if (detail::spawn(bad, {-1, -1, -1}, child) !=
                        std::errc::no_such_file_or_directory)
                        ++wrong;
                    if (detail::spawn(good, {-1, -1, -1}, child)) {
                        ++wrong;
                        continue;
                    }
                    if (detail::reap(child, 0).status != ExitStatus{4, 0}) ++wrong;
                    close_pidfd(child);
                }
            });
    }
    CHECK(wrong == 0);
    CHECK(has_no_children());
}
