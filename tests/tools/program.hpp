// A program under test: started, listened to line by line, signalled, and never left behind.
#pragma once

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <exception>
#include <optional>
#include <stdexcept>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace tools {

using Deadline = std::chrono::steady_clock::time_point;

/// Ample: only a test that would never end meets it.
inline Deadline soon() { return std::chrono::steady_clock::now() + std::chrono::seconds{100}; }

/// Reads lines from a pipe, blocking. What does not come before the deadline fails the test: no
/// test waits for time to pass, and none waits for ever.
class LineReader {
public:
    LineReader() = default;
    explicit LineReader(int fd) : fd_(fd) {}
    LineReader(LineReader&& other) noexcept
        : fd_(std::exchange(other.fd_, -1)), text_(std::move(other.text_)) {}
    LineReader& operator=(LineReader other) noexcept {
        std::swap(fd_, other.fd_);
        std::swap(text_, other.text_);
        return *this;
    }
    ~LineReader() { close(); }

    void close() {
        if (fd_ >= 0) ::close(fd_);
        fd_ = -1;
    }

    /// Nothing: the program has closed its end.
    std::optional<std::string> line(Deadline deadline = soon()) {
        for (;;) {
            if (const std::size_t end = text_.find('\n'); end != std::string::npos) {
                std::string one = text_.substr(0, end);
                text_.erase(0, end + 1);
                return one;
            }
            if (!read_more(deadline))
                return text_.empty() ? std::nullopt : std::optional{std::exchange(text_, {})};
        }
    }

    /// Everything up to the end.
    std::string rest(Deadline deadline = soon()) {
        while (read_more(deadline)) {}
        return std::exchange(text_, {});
    }

private:
    bool read_more(Deadline deadline) {
        using namespace std::chrono;
        const auto left = ceil<milliseconds>(deadline - steady_clock::now());
        pollfd readable{.fd = fd_, .events = POLLIN, .revents = 0};
        if (left.count() <= 0 || ::poll(&readable, 1, static_cast<int>(left.count())) == 0)
            throw std::runtime_error{"the program said nothing more in time; so far: " + text_};
        std::array<char, 65536> block{};
        const ssize_t size = ::read(fd_, block.data(), block.size());
        if (size > 0) text_.append(block.data(), static_cast<std::size_t>(size));
        return size > 0 || (size < 0 && errno == EINTR);
    }

    int fd_ = -1;
    std::string text_ = {};
};

struct ProgramSpec {
    std::vector<std::string> command = {};
    std::vector<std::string> environment = {}; ///< "NAME=value", these win over the test's own
    std::string directory = {};                ///< to run in; empty: the test's own
    std::string input = {};                    ///< on standard input; must fit into a pipe
};

class Program {
public:
    explicit Program(const ProgramSpec& spec) {
        const auto [input, feed] = make_pipe();
        const auto [output, output_end] = make_pipe();
        const auto [errors, errors_end] = make_pipe();
        output_ = LineReader{output};
        errors_ = LineReader{errors};
        if (::write(feed, spec.input.data(), spec.input.size()) !=
            static_cast<ssize_t>(spec.input.size()))
            throw std::system_error{errno, std::generic_category()};

        posix_spawn_file_actions_t actions;
        posix_spawn_file_actions_init(&actions);
        posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
        posix_spawn_file_actions_adddup2(&actions, output_end, STDOUT_FILENO);
        posix_spawn_file_actions_adddup2(&actions, errors_end, STDERR_FILENO);
        if (!spec.directory.empty())
            posix_spawn_file_actions_addchdir_np(&actions, spec.directory.c_str());
        std::vector<std::string> command = spec.command;
        std::vector<std::string> variables = environment(spec.environment);
        const int error = ::posix_spawn(&pid_, command.front().c_str(), &actions, nullptr,
                                        pointers(command).data(), pointers(variables).data());
        posix_spawn_file_actions_destroy(&actions);
        for (const int fd : {input, feed, output_end, errors_end}) ::close(fd);
        if (error != 0) throw std::system_error{error, std::generic_category(), command.front()};
    }
    Program(const Program&) = delete;
    Program& operator=(const Program&) = delete;

    /// A test that failed leaves the program running: it gets SIGTERM, twice as impatient users
    /// do, and then made to.
    ~Program() {
        if (pid_ <= 0) return;
        ::kill(pid_, SIGTERM);
        ::kill(pid_, SIGTERM);
        try {
            output_.rest(std::chrono::steady_clock::now() + std::chrono::seconds{5});
        } catch (const std::exception&) { ::kill(pid_, SIGKILL); }
        ::waitpid(pid_, nullptr, 0);
    }

    [[nodiscard]] int pid() const noexcept { return pid_; }
    void signal(int number) { ::kill(pid_, number); }
    LineReader& output() noexcept { return output_; }
    LineReader& errors() noexcept { return errors_; }

    /// Waits for the end, which the program must have been brought to: its exit status, 128 + n if
    /// signal n killed it.
    int wait() {
        int status = 0;
        while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {}
        pid_ = -1;
        return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }

private:
    static std::pair<int, int> make_pipe() {
        std::array<int, 2> ends{};
        if (::pipe2(ends.data(), O_CLOEXEC) != 0)
            throw std::system_error{errno, std::generic_category()};
        return {ends[0], ends[1]};
    }

    static std::vector<std::string> environment(std::vector<std::string> given) {
        const auto name = [](const std::string& variable) {
            return variable.substr(0, variable.find('=') + 1);
        };
        std::vector<std::string> all = given;
        for (char** one = environ; *one != nullptr; ++one) {
            const std::string inherited{*one};
            if (std::none_of(given.begin(), given.end(),
                             [&](auto& g) { return name(g) == name(inherited); }))
                all.push_back(inherited);
        }
        return all;
    }

    static std::vector<char*> pointers(std::vector<std::string>& strings) {
        std::vector<char*> result;
        for (std::string& string : strings) result.push_back(string.data());
        result.push_back(nullptr);
        return result;
    }

    pid_t pid_ = -1;
    LineReader output_;
    LineReader errors_;
};

} // namespace tools
