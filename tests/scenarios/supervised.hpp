// A supervisor that runs as its users run it, and what it says, read from its JSON stream.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <map>
#include <optional>
#include <regex>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <stdlib.h>

#include <catch2/catch_test_macros.hpp>
#include <nlohmann/json.hpp>

#include "contents.hpp"
#include "loopback.hpp"
#include "program.hpp"
#include "temporary_folder.hpp"

namespace scenarios {

using nlohmann::json;
using namespace std::chrono_literals;
using tools::contents;
using tools::TemporaryFolder;
using Micros = std::chrono::microseconds;

/// A moment of manifest time, from a timestamp of the stream.
inline Micros moment(const json& timestamp) {
    int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, micros = 0;
    const std::string text = timestamp.get<std::string>();
    const int read = std::sscanf(text.c_str(), "%d-%d-%dT%d:%d:%d.%6dZ", &year, &month, &day, &hour,
                                 &minute, &second, &micros);
    if (read != 7) throw std::runtime_error{"no timestamp: " + text};
    const std::chrono::year_month_day date{std::chrono::year{year},
                                           std::chrono::month{static_cast<unsigned>(month)},
                                           std::chrono::day{static_cast<unsigned>(day)}};
    return std::chrono::sys_days{date}.time_since_epoch() + std::chrono::hours{hour} +
           std::chrono::minutes{minute} + std::chrono::seconds{second} + Micros{micros};
}

/// A manifest of examples/manifests on ports of our own, so that tests can run side by side: a port
/// that is given to a program (in quotes, as a string) is free for it, one that only a probe knows
/// stays shut.
class Example {
public:
    explicit Example(const std::string& name)
        : text_(contents(std::filesystem::path{MANIFESTS} / (name + ".yaml"))) {
        const std::regex port{"\\b18[01]\\d\\d\\b"};
        std::string replaced;
        std::sregex_iterator match{text_.begin(), text_.end(), port};
        std::size_t end = 0;
        for (; match != std::sregex_iterator{}; ++match) {
            const auto at = static_cast<std::size_t>(match->position());
            tools::BoundPort& ours = ports_[match->str()];
            if (at != 0 && text_[at - 1] == '"') {
                ours.release();
                listening_ = ours.number();
            }
            replaced += text_.substr(end, at - end) + std::to_string(ours.number());
            end = at + match->str().size();
        }
        text_ = replaced + text_.substr(end);
    }

    [[nodiscard]] const std::string& text() const noexcept { return text_; }
    [[nodiscard]] std::uint16_t listening() const noexcept { return listening_; }

    /// The port of the manifest as it is now.
    [[nodiscard]] std::string port(const std::string& in_manifest) const {
        return std::to_string(ports_.at(in_manifest).number());
    }

private:
    std::string text_;
    std::map<std::string, tools::BoundPort> ports_;
    std::uint16_t listening_ = 0;
};

struct Setting {
    std::string scale = "10";
    std::vector<std::string> arguments = {}; ///< further options
    std::string logs = "none"; ///< with "prefix" the test has to read program().errors()
    bool json = true;
    std::vector<std::string> wrapper = {}; ///< a command that executes the rest of its arguments
};

class Supervised {
public:
    explicit Supervised(const std::string& manifest, const Setting& setting = {})
        : program_(tools::ProgramSpec{
              .command = command(setting),
              .environment = {"HOST=127.0.0.1",
                              std::string{"PATH="} + MANIFESTS + "/bin:" + ::getenv("PATH")},
              .directory = folder_.path().string(),
              .input = manifest}) {}

    /// The next line; nothing at the end.
    std::optional<json> next() {
        const auto line = program_.output().line();
        if (!line) return std::nullopt;
        lines_.push_back(json::parse(*line));
        return lines_.back();
    }

    /// Reads on up to the first line for which this holds.
    template <class Predicate>
    json until(Predicate predicate) {
        while (auto line = next())
            if (predicate(*line)) return *line;
        throw std::runtime_error{"the supervisor has ended; it said " +
                                 std::to_string(lines_.size()) +
                                 " lines, and: " + program_.errors().rest()};
    }

    /// Ends it, reads all it still says, and gives its exit status.
    int stop() {
        program_.signal(SIGTERM);
        return finish();
    }
    int finish() {
        while (next()) {}
        return program_.wait();
    }

    [[nodiscard]] tools::Program& program() noexcept { return program_; }
    [[nodiscard]] const std::filesystem::path& folder() const noexcept { return folder_.path(); }
    [[nodiscard]] const std::vector<json>& lines() const noexcept { return lines_; }

    /// All lines read so far for which this holds, in their order.
    template <class Predicate>
    [[nodiscard]] std::vector<json> all(Predicate predicate) const {
        std::vector<json> found;
        for (const json& line : lines_)
            if (predicate(line)) found.push_back(line);
        return found;
    }

private:
    static std::vector<std::string> command(const Setting& setting) {
        std::vector<std::string> words = setting.wrapper;
        words.insert(words.end(),
                     {SUPERVISOR, "--time-scale", setting.scale, "--logs", setting.logs, "--image",
                      "demo-app=" DEMO_APP, "--image", "nginx=" DEMO_APP});
        if (setting.json) words.insert(words.end(), {"-o", "json"});
        words.insert(words.end(), setting.arguments.begin(), setting.arguments.end());
        words.emplace_back("-");
        return words;
    }

    TemporaryFolder folder_;
    tools::Program program_;
    std::vector<json> lines_ = {};
};

// What a line says.

inline bool is_pod(const json& line) { return line["object"]["kind"] == "Pod"; }

inline json container(const json& line, const std::string& name) {
    for (const char* list : {"containerStatuses", "initContainerStatuses"})
        for (const json& one : line["object"]["status"].value(list, json::array()))
            if (one["name"] == name) return one;
    throw std::runtime_error{"no container " + name};
}

/// The first container of a pod with one.
inline json container(const json& line) { return line["object"]["status"]["containerStatuses"][0]; }

inline auto phase_is(std::string phase) {
    return [phase](const json& line) {
        return is_pod(line) && line["object"]["status"]["phase"] == phase;
    };
}

/// Running for the time after so many restarts.
inline auto running_after(int restarts) {
    return [restarts](const json& line) {
        return is_pod(line) && container(line)["restartCount"] == restarts &&
               container(line)["state"].contains("running");
    };
}

inline auto ready(bool is_ready) {
    return [is_ready](const json& line) {
        return is_pod(line) && container(line)["ready"] == is_ready;
    };
}

inline auto waiting(std::string reason) {
    return [reason](const json& line) {
        return is_pod(line) && container(line)["state"].contains("waiting") &&
               container(line)["state"]["waiting"]["reason"] == reason;
    };
}

inline auto terminated(const json& line) {
    return is_pod(line) && container(line)["state"].contains("terminated");
}

inline auto event(std::string reason, std::string message = "") {
    return [reason, message](const json& line) {
        return line["object"]["kind"] == "Event" && line["object"]["reason"] == reason &&
               line["object"]["message"].get<std::string>().find(message) != std::string::npos;
    };
}

inline json condition(const json& line, const std::string& type) {
    for (const json& one : line["object"]["status"]["conditions"])
        if (one["type"] == type) return one;
    throw std::runtime_error{"no condition " + type};
}

inline Micros started_at(const json& container_status) {
    return moment(container_status["state"]["running"]["startedAt"]);
}

/// Whether this process is there, as a zombie too.
inline bool process_exists(int pid) {
    return std::filesystem::exists("/proc/" + std::to_string(pid));
}

/// Whether it can still do anything. An orphan is reaped by the system, whenever that has time.
inline bool process_lives(int pid) {
    const std::string stat = contents("/proc/" + std::to_string(pid) + "/stat");
    const std::size_t name_end = stat.rfind(')');
    return name_end != std::string::npos && stat.compare(name_end + 1, 2, " Z") != 0;
}

/// The pid in a containerID, "local://PID-STARTTIME".
inline int pid_of(const json& container_status) {
    return std::stoi(
        container_status["containerID"].get<std::string>().substr(std::string{"local://"}.size()));
}

} // namespace scenarios
