// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <algorithm>
#include <cstddef>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <probekit/http/exchange_fsm.hpp>

#include "http_case.hpp"
#include "replay.hpp"

// Recordings of the kubelet's HTTP prober against a scripted server. Here ExchangeFsm meets the scripts: the server's
// steps and the timeout are told to it as events, on a clock that stands still between them.
namespace {

using namespace probekit;
using namespace http_case;
using http::ExchangeFsm;
using Step = ExchangeFsm::Step;

const Ports ports{"40001", "40002", "50001"};

/// The server's side of one case.
class Script {
public:
    Script(const json& server, int timeout_ms, std::size_t piece)
        : server_(server), left_ms_(timeout_ms), piece_(piece) {}

    Seen run(ExchangeFsm& fsm, const ProbeResult& result) {
        Step step = fsm.start();
        while (step == Step::connect) step = connect(fsm);
        Seen seen;
        seen.result = std::string{to_string(result.outcome)};
        (fsm.error() ? seen.error : seen.message) = result.message();
        seen.requests = std::move(requests_);
        return seen;
    }

private:
    Step connect(ExchangeFsm& fsm) {
        const std::string port = std::to_string(fsm.port());
        if (server_.at("kind") == "full-backlog") return fsm.timed_out();
        const bool listens = port == ports.server || (server_.value("second_listener", false) && port == ports.second);
        if (server_.at("kind") == "none" || !listens)
            return fsm.no_connection(Phase::connect, std::make_error_code(std::errc::connection_refused));
        const json& scripts = server_.at("conns");
        const json& script = scripts.at(std::min(requests_.size(), scripts.size() - 1));
        requests_.emplace_back();
        Step step = fsm.connected();
        const bool reads =
            std::any_of(script.begin(), script.end(), [](const json& one) { return one.contains("recv"); });
        if (reads && server_.at("kind") == "script") requests_.back() = fsm.request(); // tls-script understands nothing
        step = fsm.sent();
        for (const json& one : script) {
            left_ms_ -= one.value("delay_ms", 0);
            if (left_ms_ <= 0) return fsm.timed_out();
            if (one.contains("send")) step = send(fsm, bytes_of(one.at("send"), ports), one.value("repeat", 1));
            if (step != Step::receive) return step;
            if (one.contains("close")) return close(fsm, one.at("close"));
        }
        return fsm.ended();
    }

    Step send(ExchangeFsm& fsm, const std::string& text, int repeat) {
        std::string bytes;
        for (int i = 0; i != repeat; ++i) bytes += text;
        Step step = Step::receive;
        for (std::size_t at = 0; at < bytes.size() && step == Step::receive; at += piece_)
            step = fsm.received(std::string_view{bytes}.substr(at, piece_));
        return step;
    }

    static Step close(ExchangeFsm& fsm, const std::string& how) {
        if (how == "wait") return fsm.timed_out();
        if (how == "fin") return fsm.ended();
        const std::string ends = "127.0.0.1:" + ports.local + "->127.0.0.1:" + ports.server;
        return fsm.broken(std::make_error_code(std::errc::connection_reset), ends);
    }

    const json& server_;
    int left_ms_;
    std::size_t piece_;
    std::vector<std::string> requests_ = {};
};

Seen look(const json& recorded, const HttpGetAction& action, const HttpOptions& options, std::size_t piece) {
    const auto plan = std::make_shared<const http::ExchangePlan>(action, options);
    ProbeResult result;
    result.target = plan;
    ExchangeFsm fsm{*plan, result};
    return Script{recorded.at("server"), recorded.at("request").at("timeout_ms"), piece}.run(fsm, result);
}

bool replay_case(const json& recorded, const HttpOptions& options) {
    const json& expected = recorded.at("expect");
    const HttpGetAction action = action_of(recorded.at("request"), ports);
    if (!validate(action).empty()) return is_refused_as_meant(recorded.at("name"), expected);
    std::size_t sent = 0;
    if (!recorded.at("server").at("conns").is_null())
        for (const json& script : recorded.at("server").at("conns"))
            for (const json& step : script)
                sent += step.value("send", std::string{}).size() * step.value("repeat", std::size_t{1});
    for (const std::size_t piece : {std::size_t{16'384}, std::size_t{1}}) {
        if (piece == 1 && sent > 1'000'000) continue;
        const Seen seen = look(recorded, action, options, piece);
        if (agrees_with_case(seen, expected, ports)) continue;
        std::cout << "http " << recorded.at("name") << ", in pieces of " << piece << ": " << shown(seen, expected)
                  << '\n';
        return false;
    }
    return true;
}

} // namespace

Tally replay_http_cases(const json& document) {
    Tally tally;
    const HttpOptions options{.keep_output = true, .user_agent = document.at("user_agent")};
    for (const json& recorded : document.at("cases")) {
        if (recorded.at("request").at("scheme") == "HTTPS") {
            ++tally.skipped;
        } else {
            ++(replay_case(recorded, options) ? tally.passed : tally.failed);
        }
    }
    return tally;
}
