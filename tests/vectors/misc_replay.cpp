// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <chrono>
#include <cstddef>
#include <exception>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <asio/io_context.hpp>
#include <asio/ip/address.hpp>

#include <probekit/core/actions.hpp>
#include <probekit/core/kubelet_text.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/result.hpp>
#include <probekit/kubernetes/variables.hpp>
#include <probekit/probes/exec_probe.hpp>
#include <probekit/probes/tcp_probe.hpp>

#include "http_case.hpp"
#include "replay.hpp"
#include "script_server.hpp"

// Recordings of the kubelet's TCP and exec probers. Our probes do the same, with servers on
// loopback and by running the commands; all at once, which takes no longer than the slowest.
namespace {

using namespace probekit;
using namespace http_case;

/// One case, and how our attempt at it ended.
class Case {
public:
    Case(asio::io_context& io, const json& recorded) : recorded_(recorded) {
        const json& setup = recorded.at("setup");
        if (recorded.at("kind") == "tcp")
            probe_server(io, setup);
        else
            run_command(io, setup);
    }

    /// Whether the case ended as recorded. To be called once all cases have run.
    [[nodiscard]] bool passed() const {
        const std::string name = recorded_.at("name");
        // The library rejects settings that the kubelet could not use.
        if (!observed_) return !text_at(recorded_, "error").empty();
        if (matches()) return true;
        std::cout << recorded_.at("kind") << ' ' << name << ": " << shown(*observed_, recorded_)
                  << '\n';
        return false;
    }

private:
    void probe_server(asio::io_context& io, const json& setup) {
        const std::string host = text_at(setup, "host");
        std::error_code no_literal;
        const auto literal = asio::ip::make_address(host, no_literal);
        server_ = std::make_unique<ScriptServer>(
            io, setup.at("server"), no_literal ? asio::ip::make_address("127.0.0.1") : literal);
        const TcpSocketAction action{.host = host, .port = port_of(setup, server_->ports())};
        if (!detail::validate_at(action, {}, true).empty()) return server_->stop(); // rejected
        start(TcpProbe{io,
                       action,
                       {.close = TcpClose::reset, // so that the servers see it, as the kubelet's
                        .any_host = true}});
    }

    void run_command(asio::io_context& io, const json& setup) {
        kubernetes::Variables variables;
        const json& environment = list_at(setup, "env"); // a list of either form, or an object
        for (const auto& [name, value] : environment.items()) {
            if (value.is_object()) {
                variables[value.at("name")] = text_at(value, "value");
            } else if (environment.is_object()) {
                variables[name] = value;
            } else {
                const std::string both = value;
                variables[both.substr(0, both.find('='))] = both.substr(both.find('=') + 1);
            }
        }
        ExecAction action;
        // The recorder expanded no variables in the commands of containers that had none.
        for (const json& word : list_at(setup, "command"))
            action.command.push_back(variables.empty() ? word.get<std::string>()
                                                       : kubernetes::expand_variables(
                                                             word.get<std::string>(), variables));
        for (const auto& [name, value] : variables)
            action.environment.push_back(name + "=" + value);
        if (validate(action).empty()) start(ExecProbe{io, action, {.keep_output = true}});
    }

    template <class P>
    void start(P probe) {
        // Only a case that is to time out may do so, however slow the machine is.
        const bool times_out =
            recorded_.at("message").get<std::string>().find("time") != std::string::npos;
        const auto timeout = times_out
                                 ? std::chrono::milliseconds{recorded_.at("setup").at("timeout_ms")}
                                 : std::chrono::minutes{1};
        probe.async_probe(timeout, [this](std::error_code error, const ProbeResult& result) {
            if (server_) server_->stop();
            Observed& observed = observed_.emplace();
            observed.result = std::string{to_string(result.outcome)};
            (error ? observed.error : observed.message) = kubelet::result_text(result);
        });
    }

    [[nodiscard]] bool matches() const {
        const Ports ports = server_ ? server_->ports() : Ports{};
        const std::string message = bytes_of(recorded_.at("message"), ports);
        // A second connect() sees the open connection, before the reset.
        if (message.ends_with(": connect: connection reset by peer") &&
            observed_->result == "success")
            return true;
        if (agrees(*observed_, recorded_, ports)) return true;
        // Each machine decides which address localhost has first.
        if (text_at(recorded_.at("setup"), "host") == "localhost") {
            json with_ipv6 = recorded_;
            with_ipv6["message"] = replaced(text_at(recorded_, "message"), "127.0.0.1:", "[::1]:");
            if (agrees(*observed_, with_ipv6, ports)) return true;
        }
        // A recording has only the beginning of a long message.
        constexpr std::string_view ellipsis = "...";
        const auto length = recorded_.at("message_len").get<std::size_t>();
        return message.ends_with(ellipsis) && length > message.size() &&
               observed_->message.size() == length &&
               observed_->message.starts_with(
                   message.substr(0, message.size() - ellipsis.size())) &&
               observed_->result == text_at(recorded_, "result") &&
               observed_->error == text_at(recorded_, "error");
    }

    const json& recorded_;
    std::unique_ptr<ScriptServer> server_;
    std::optional<Observed> observed_; // nothing: the settings were rejected
};

} // namespace

Tally replay_misc_cases(const json& document) {
    Tally tally;
    asio::io_context io{1};
    std::vector<std::pair<std::string, std::unique_ptr<Case>>> cases;
    for (const json& recorded : document.at("cases")) {
        if (recorded.at("kind") == "grpc") {
            ++tally.skipped;
            continue;
        }
        const std::string name = recorded.at("name");
        try {
            cases.emplace_back(name, std::make_unique<Case>(io, recorded));
        } catch (const std::exception& error) {
            std::cout << name << ": " << error.what() << '\n';
            ++tally.failed;
        }
    }
    io.run();
    for (const auto& [name, one] : cases)
        tally.add(name, [&one = one] { return std::optional{one->passed()}; });
    std::cout << "misc: " << document.at("cases").size() << " cases, " << cases.size()
              << " attempts\n";
    return tally;
}
