// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <probekit/http/exchange_fsm.hpp>

#include "replay.hpp"

// Recordings of the kubelet's HTTP prober against a scripted server. Here ExchangeFsm meets the scripts: the server's
// steps and the timeout are told to it as events, on a clock that stands still between them.
namespace {

using namespace probekit;
using http::ExchangeFsm;
using nlohmann::json;
using Step = ExchangeFsm::Step;

constexpr std::string_view port_text = "40001";
constexpr std::string_view second_port_text = "40002";
constexpr std::string_view local_port_text = "50001";

std::string replaced(std::string text, std::string_view what, std::string_view with) {
    for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size())
        text.replace(at, what.size(), with);
    return text;
}

/// The recordings write a byte as the code point of its number.
std::string bytes_of(const json& text) {
    const std::string& utf8 = text.get_ref<const std::string&>();
    std::string bytes;
    for (std::size_t i = 0; i != utf8.size(); ++i) {
        const auto lead = static_cast<unsigned char>(utf8[i]);
        bytes += lead < 0x80 ? utf8[i] : static_cast<char>((lead << 6 | (utf8[++i] & 0x3f)) & 0xff);
    }
    bytes = replaced(std::move(bytes), "{PORT}", port_text);
    bytes = replaced(std::move(bytes), "{PORT2}", second_port_text);
    return replaced(std::move(bytes), "{LPORT}", local_port_text);
}

/// Port 0 where the recording names one that cannot be.
std::uint16_t port_of(const json& request) {
    std::string text{port_text};
    if (request.contains("port") && request["port"].is_string() && request["port"] != "web") text = request["port"];
    if (request.contains("port") && request["port"].is_number()) text = request["port"].dump();
    const unsigned long port = std::stoul(text);
    return port > 65'535 ? std::uint16_t{0} : static_cast<std::uint16_t>(port);
}

HttpGetAction action_of(const json& request) {
    HttpGetAction action;
    action.host = request.at("host").get<std::string>().empty() ? request.at("pod_ip") : request.at("host");
    action.port = port_of(request);
    action.path = request.at("path");
    for (const json& header : request.at("headers")) action.headers.push_back({header.at("name"), header.at("value")});
    return action;
}

/// All that a recording says of a look.
struct Seen {
    std::string result;
    std::string message;
    std::string error;
    std::vector<std::string> requests;
};

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
        const bool listens = port == port_text || (server_.value("second_listener", false) && port == second_port_text);
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
            if (one.contains("send")) step = send(fsm, bytes_of(one.at("send")), one.value("repeat", 1));
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
        const std::string ends = "127.0.0.1:" + std::string{local_port_text} + "->127.0.0.1:" + std::string{port_text};
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

bool agrees(const Seen& seen, const json& expected) {
    const std::string message = bytes_of(expected.at("message"));
    const bool same_message =
        expected.value("message_is_prefix", false)
            ? seen.message.starts_with(message) && seen.message.size() == expected.at("message_len").get<std::size_t>()
            : seen.message == message;
    return seen.result == expected.at("result").get_ref<const std::string&>() && same_message &&
           seen.error == bytes_of(expected.at("error"));
}

bool agrees_with_case(const Seen& seen, const json& expected) {
    std::vector<std::string> requests;
    for (const json& request : expected.at("requests")) requests.push_back(bytes_of(request));
    if (seen.requests != requests) return false;
    if (agrees(seen, expected)) return true;
    if (!expected.contains("alternatives")) return false;
    const json& others = expected["alternatives"];
    return std::any_of(others.begin(), others.end(), [&](const json& other) { return agrees(seen, other); });
}

/// Settings that the recorded prober failed on are refused by ours before anything is asked.
bool is_refused_as_meant(const std::string& name, const json& expected) {
    const bool meant = name.starts_with("port-") || name.starts_with("hdr-name-") || name.starts_with("hdr-value-");
    return meant && expected.at("requests").empty();
}

bool replay_case(const json& recorded, const HttpOptions& options) {
    const json& expected = recorded.at("expect");
    const HttpGetAction action = action_of(recorded.at("request"));
    if (!validate(action).empty()) return is_refused_as_meant(recorded.at("name"), expected);
    std::size_t sent = 0;
    if (!recorded.at("server").at("conns").is_null())
        for (const json& script : recorded.at("server").at("conns"))
            for (const json& step : script)
                sent += step.value("send", std::string{}).size() * step.value("repeat", std::size_t{1});
    for (const std::size_t piece : {std::size_t{16'384}, std::size_t{1}}) {
        if (piece == 1 && sent > 1'000'000) continue;
        const Seen seen = look(recorded, action, options, piece);
        if (agrees_with_case(seen, expected)) continue;
        std::cout << "http " << recorded.at("name") << ", in pieces of " << piece << ": " << seen.result << ", message "
                  << json(seen.message.substr(0, 300)).dump(-1, ' ', true, json::error_handler_t::replace) << ", error "
                  << json(seen.error).dump() << ", requests "
                  << json(seen.requests).dump(-1, ' ', true, json::error_handler_t::replace) << "; expected "
                  << expected.dump() << '\n';
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
