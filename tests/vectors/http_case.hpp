// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <probekit/core/actions.hpp>
#include <probekit/core/kubelet_text.hpp>
#include <probekit/core/outcome.hpp>
#include <probekit/core/result.hpp>

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

inline std::string with_ports(std::string text, const Ports& ports) {
    text = replaced(std::move(text), "{PORT}", ports.server);
    text = replaced(std::move(text), "{PORT2}", ports.second);
    return replaced(std::move(text), "{LPORT}", ports.local);
}

/// The recordings write a byte as the code point of its number. A larger one stands for itself.
inline std::string bytes_of(const json& text, const Ports& ports) {
    const std::string& utf8 = text.get_ref<const std::string&>();
    std::string bytes;
    for (std::size_t i = 0; i != utf8.size(); ++i) {
        const auto lead = static_cast<unsigned char>(utf8[i]);
        const bool is_byte = lead == 0xc2 || lead == 0xc3;
        bytes += is_byte ? static_cast<char>((lead << 6 | (utf8[++i] & 0x3f)) & 0xff) : utf8[i];
    }
    return with_ports(std::move(bytes), ports);
}

/// A text of a recording; what was not recorded, or is null, is empty.
inline std::string text_at(const json& object, const char* name) {
    const auto found = object.find(name);
    return found == object.end() || found->is_null() ? std::string{} : found->get<std::string>();
}

/// A list of a recording; Go writes an empty one as null.
inline const json& list_at(const json& object, const char* name) {
    static const json nothing = json::array();
    const auto found = object.find(name);
    return found == object.end() || found->is_null() ? nothing : *found;
}

/// The port asked for: the server's, a number, perhaps as text, or the name of the container's one
/// port. 0 where there can be none such.
inline std::uint16_t port_of(const json& request, const Ports& ports) {
    const auto given = request.find("port");
    std::string text = ports.server;
    if (given != request.end() && given->is_number()) text = given->dump();
    if (given != request.end() && given->is_string() && *given != "web")
        text = with_ports(*given, ports);
    std::uint16_t port = 0;
    const char* const end = text.data() + text.size();
    const auto [stopped, error] = std::from_chars(text.data(), end, port);
    return error == std::errc{} && stopped == end ? port : std::uint16_t{0};
}

inline probekit::HttpGetAction action_of(const json& request, const Ports& ports) {
    probekit::HttpGetAction action;
    action.host = text_at(request, "host");
    if (action.host.empty()) action.host = text_at(request, "pod_ip");
    action.port = port_of(request, ports);
    if (const std::string path = text_at(request, "path"); !path.empty())
        action.path = with_ports(path, ports);
    for (const json& header : list_at(request, "headers"))
        action.headers.push_back(
            {text_at(header, "name"), with_ports(text_at(header, "value"), ports)});
    return action;
}

/// Whether a case can only come out as recorded where TLS is spoken: it asks by https, or is sent
/// there.
inline bool needs_tls(const json& recorded) {
    const std::string scheme = text_at(recorded.at("request"), "scheme");
    if (scheme == "HTTPS" || scheme == "https") return true;
    for (const json& script : list_at(recorded.at("server"), "conns"))
        for (const json& step : script)
            if (text_at(step, "send").find("Location: https:") != std::string::npos) return true;
    return false;
}

/// All that a recording says of a look. One that was an error has no message.
struct Seen {
    std::string result;
    std::string message;
    std::string error;
    std::vector<std::string> requests;
};

/// Over real sockets, where no recording can know the port at our end of a connection: it is left
/// out.
inline Seen seen_of(const std::error_code& error, const probekit::ProbeResult& result) {
    std::string text = probekit::kubelet::result_text(result);
    if (const std::size_t arrow = text.find("->127."); arrow != std::string::npos) {
        const std::size_t colon = text.rfind(':', arrow);
        text.erase(colon + 1, arrow - colon - 1);
    }
    Seen seen{.result = std::string{to_string(result.outcome)},
              .message = {},
              .error = {},
              .requests = {}};
    (error ? seen.error : seen.message) = std::move(text);
    return seen;
}

/// Whether a text is the recorded one but for the name server's address, which Go tells and the
/// system's resolver does not.
inline bool same_text(const std::string& text, const std::string& recorded) {
    return text == replaced(recorded, " on {RESOLVER}", "");
}

inline bool agrees(const Seen& seen, const json& expected, const Ports& ports) {
    const std::string message = bytes_of(expected.at("message"), ports);
    const bool same_message =
        expected.value("message_is_prefix", false)
            ? seen.message.starts_with(message) &&
                  seen.message.size() == expected.at("message_len").get<std::size_t>()
            : same_text(seen.message, message);
    return seen.result == expected.at("result").get_ref<const std::string&>() && same_message &&
           same_text(seen.error, bytes_of(expected.at("error"), ports));
}

inline bool agrees_with_case(const Seen& seen, const json& expected, const Ports& ports) {
    std::vector<std::string> requests;
    for (const json& request : list_at(expected, "requests"))
        requests.push_back(bytes_of(request, ports));
    if (seen.requests != requests) return false;
    if (agrees(seen, expected, ports)) return true;
    const json& others = list_at(expected, "alternatives");
    return std::any_of(others.begin(), others.end(),
                       [&](const json& other) { return agrees(seen, other, ports); });
}

/// Settings that the recorded prober failed on are refused by ours before anything is asked: ports
/// that do not exist, header names and values that would break the request.
inline bool is_refused_as_meant(const std::string& name, const json& expected) {
    const bool meant = name.starts_with("port-") || name.starts_with("hdr-");
    return meant && list_at(expected, "requests").empty();
}

inline std::string shown(const Seen& seen, const json& expected) {
    const auto dump = [](const json& value) {
        return value.dump(-1, ' ', true, json::error_handler_t::replace);
    };
    return seen.result + ", message " + dump(seen.message.substr(0, 300)) + ", error " +
           dump(seen.error) + ", requests " + dump(seen.requests) + "; expected " + dump(expected);
}

} // namespace http_case
