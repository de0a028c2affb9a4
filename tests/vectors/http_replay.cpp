// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <algorithm>
#include <cstddef>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <probekit/http/detail/ip_literal.hpp>
#include <probekit/http/exchange_fsm.hpp>

#include "http_case.hpp"
#include "replay.hpp"

// Replays recordings of the kubelet's HTTP prober against a scripted server. ExchangeFsm gets the
// server's steps and the timeout as events; time passes only where the script has a delay.
namespace {

using namespace probekit;
using namespace http_case;
using http::ExchangeFsm;
using Step = ExchangeFsm::Step;

const Ports ports{"40001", "40002", "50001"};
std::size_t attempts = 0;

/// The server's side of one case.
class Script {
public:
    Script(const json& server, int timeout_ms, std::size_t piece)
        : server_(server), left_ms_(timeout_ms), piece_(piece) {}

    Observed run(ExchangeFsm& fsm, const std::string& host, const ProbeResult& result) {
        Step step = fsm.start();
        while (step == Step::connect) step = connect(fsm, host);
        Observed observed;
        observed.result = std::string{to_string(result.outcome)};
        (fsm.error() ? observed.error : observed.message) = result.message();
        observed.requests = std::move(requests_);
        return observed;
    }

private:
    Step connect(ExchangeFsm& fsm, const std::string& host) {
        const std::string port = std::to_string(fsm.port());
        const std::string kind = server_.at("kind");
        // The one name that resolves is localhost.
        const bool is_name =
            host.find(':') == std::string::npos && !detail::ipv4_problem(host).what.empty();
        if (is_name && host != "localhost")
            return fsm.connect_failed(Phase::resolve, make_error_code(Errc::no_such_host));
        const std::string address = is_name ? "127.0.0.1:" + port : std::string{};
        if (kind == "full-backlog")
            return fsm.connect_failed(Phase::connect, Errc::timed_out, address);
        const bool listens = port == ports.server ||
                             (server_.value("second_listener", false) && port == ports.second);
        if (kind == "none" || !listens)
            return fsm.connect_failed(Phase::connect,
                                      std::make_error_code(std::errc::connection_refused), address);
        const json& scripts = list_at(server_, "conns");
        const json& script = scripts.empty()
                                 ? not_https
                                 : scripts.at(std::min(requests_.size(), scripts.size() - 1));
        requests_.emplace_back();
        Step step = fsm.connected();
        const bool reads = std::any_of(script.begin(), script.end(),
                                       [](const json& one) { return one.contains("recv"); });
        if (reads && kind == "script")
            requests_.back() = fsm.request(); // a TLS server does not understand it
        step = fsm.sent();
        for (const json& one : script) {
            left_ms_ -= one.value("delay_ms", 0);
            if (left_ms_ <= 0) return fsm.timed_out();
            if (one.contains("send"))
                step = send(fsm, bytes_of(one.at("send"), ports), one.value("repeat", 1));
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

    Step close(ExchangeFsm& fsm, const std::string& how) const {
        constexpr int patience_ms = 5'000; // how long a server waits for its client
        if (how == "wait" && left_ms_ <= patience_ms) return fsm.timed_out();
        if (how == "wait") return fsm.ended();
        if (how == "fin") return fsm.ended();
        const std::string ends = "127.0.0.1:" + ports.local + "->127.0.0.1:" + ports.server;
        return fsm.socket_failed(std::make_error_code(std::errc::connection_reset), ends);
    }

    /// The response of Go's HTTPS servers to a client that does not speak TLS.
    static inline const json not_https = {
        {{"recv", "headers"}},
        {{"send",
          "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n"}},
        {{"close", "fin"}}};

    const json& server_;
    int left_ms_;
    std::size_t piece_;
    std::vector<std::string> requests_ = {};
};

Observed attempt(const json& recorded, const HttpGetAction& action, const HttpOptions& options,
                 std::size_t piece) {
    const auto plan = std::make_shared<const http::ExchangePlan>(action, options);
    ProbeResult result;
    result.target = plan;
    ExchangeFsm fsm{*plan, result};
    ++attempts;
    return Script{recorded.at("server"), recorded.at("request").at("timeout_ms"), piece}.run(
        fsm, plan->host(), result);
}

bool replay_case(const json& recorded, const HttpOptions& options) {
    const json& expected = recorded.at("expect");
    const HttpGetAction action = action_of(recorded.at("request"), ports);
    if (const ConfigErrors errors = detail::validate_at(action, {}, true); !errors.empty()) {
        if (is_rejected_as_intended(recorded.at("name"), expected)) return true;
        std::cout << "http " << recorded.at("name") << ": rejected: " << errors.front().message()
                  << '\n';
        return false;
    }
    std::size_t sent = 0;
    for (const json& script : list_at(recorded.at("server"), "conns"))
        for (const json& step : script)
            sent += step.value("send", std::string{}).size() * step.value("repeat", std::size_t{1});
    for (const std::size_t piece : {std::size_t{16'384}, std::size_t{1}}) {
        if (piece == 1 && sent > 1'000'000) continue;
        const Observed observed = attempt(recorded, action, options, piece);
        if (agrees_with_case(observed, expected, ports)) continue;
        std::cout << "http " << recorded.at("name") << ", in pieces of " << piece << ": "
                  << shown(observed, expected) << '\n';
        return false;
    }
    return true;
}

} // namespace

Tally replay_http_cases(const json& document) {
    Tally tally;
    const HttpOptions options{.keep_output = true,
                              .user_agent = document.value("user_agent", kubelet_user_agent(1, 35)),
                              .any_host = true};
    for (const json& recorded : document.at("cases")) {
        tally.add(recorded.at("name"), [&] {
            if (needs_tls(recorded)) return replay_https_case(recorded, options);
            return std::optional{replay_case(recorded, options)};
        });
    }
    std::cout << "http: " << document.at("cases").size() << " cases, " << attempts
              << " exchanges\n";
    return tally;
}
