// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <probekit/core/actions.hpp>

// What a recording of the kubelet's HTTP prober asks, and what it expects.
namespace http_case {

using nlohmann::json;

/// What stands for {PORT}, {PORT2} and {LPORT}.
struct Ports {
    std::string server;
    std::string second;
    std::string local;
};

inline std::string replaced(std::string text, std::string_view what, std::string_view with) {
    for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += with.size())
        text.replace(at, what.size(), with);
    return text;
}

/// The recordings write a byte as the code point of its number.
inline std::string bytes_of(const json& text, const Ports& ports) {
    const std::string& utf8 = text.get_ref<const std::string&>();
    std::string bytes;
    for (std::size_t i = 0; i != utf8.size(); ++i) {
        const auto lead = static_cast<unsigned char>(utf8[i]);
        bytes += lead < 0x80 ? utf8[i] : static_cast<char>((lead << 6 | (utf8[++i] & 0x3f)) & 0xff);
    }
    bytes = replaced(std::move(bytes), "{PORT}", ports.server);
    bytes = replaced(std::move(bytes), "{PORT2}", ports.second);
    return replaced(std::move(bytes), "{LPORT}", ports.local);
}

/// Port 0 where the recording names one that cannot be.
inline std::uint16_t port_of(const json& request, const Ports& ports) {
    std::string text = ports.server;
    if (request.contains("port") && request["port"].is_string() && request["port"] != "web") text = request["port"];
    if (request.contains("port") && request["port"].is_number()) text = request["port"].dump();
    const unsigned long port = std::stoul(text);
    return port > 65'535 ? std::uint16_t{0} : static_cast<std::uint16_t>(port);
}

inline probekit::HttpGetAction action_of(const json& request, const Ports& ports) {
    probekit::HttpGetAction action;
    action.host = request.at("host").get<std::string>().empty() ? request.at("pod_ip") : request.at("host");
    action.port = port_of(request, ports);
    action.path = request.at("path");
    for (const json& header : request.at("headers")) action.headers.push_back({header.at("name"), header.at("value")});
    return action;
}

/// All that a recording says of a look. One that was an error has no message.
struct Seen {
    std::string result;
    std::string message;
    std::string error;
    std::vector<std::string> requests;
};

inline bool agrees(const Seen& seen, const json& expected, const Ports& ports) {
    const std::string message = bytes_of(expected.at("message"), ports);
    const bool same_message =
        expected.value("message_is_prefix", false)
            ? seen.message.starts_with(message) && seen.message.size() == expected.at("message_len").get<std::size_t>()
            : seen.message == message;
    return seen.result == expected.at("result").get_ref<const std::string&>() && same_message &&
           seen.error == bytes_of(expected.at("error"), ports);
}

inline bool agrees_with_case(const Seen& seen, const json& expected, const Ports& ports) {
    std::vector<std::string> requests;
    for (const json& request : expected.at("requests")) requests.push_back(bytes_of(request, ports));
    if (seen.requests != requests) return false;
    if (agrees(seen, expected, ports)) return true;
    if (!expected.contains("alternatives")) return false;
    const json& others = expected["alternatives"];
    return std::any_of(others.begin(), others.end(), [&](const json& other) { return agrees(seen, other, ports); });
}

/// Settings that the recorded prober failed on are refused by ours before anything is asked.
inline bool is_refused_as_meant(const std::string& name, const json& expected) {
    const bool meant = name.starts_with("port-") || name.starts_with("hdr-name-") || name.starts_with("hdr-value-");
    return meant && expected.at("requests").empty();
}

inline std::string shown(const Seen& seen, const json& expected) {
    const auto dump = [](const json& value) { return value.dump(-1, ' ', true, json::error_handler_t::replace); };
    return seen.result + ", message " + dump(seen.message.substr(0, 300)) + ", error " + dump(seen.error) +
           ", requests " + dump(seen.requests) + "; expected " + dump(expected);
}

} // namespace http_case
