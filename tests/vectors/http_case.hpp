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

// Reads a recording of the kubelet's HTTP prober: the request, and the expected result.
namespace http_case {

using nlohmann::json;

/// The values of {PORT}, {PORT2} and {LPORT}.
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

/// Recordings write a byte as the code point of its number. Larger code points are themselves.
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

/// A text of a recording; empty if it was not recorded or is null.
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

/// The port to probe: the server's, a number, a number as text, or the name of the container's only
/// port. 0 for a port that cannot exist.
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

/// Whether a case needs TLS to end as recorded: its probe uses https or is redirected to it.
inline bool needs_tls(const json& recorded) {
    const std::string scheme = text_at(recorded.at("request"), "scheme");
    if (scheme == "HTTPS" || scheme == "https") return true;
    for (const json& script : list_at(recorded.at("server"), "conns"))
        for (const json& step : script)
            if (text_at(step, "send").find("Location: https:") != std::string::npos) return true;
    return false;
}

/// What a recording says about an attempt. An attempt that ended with an error has no message.
struct Observed {
    std::string result;
    std::string message;
    std::string error;
    std::vector<std::string> requests;
};

/// The result of an attempt over real sockets, without the local port, which a recording cannot
/// know.
inline Observed observed_of(const std::error_code& error, const probekit::ProbeResult& result) {
    std::string text = probekit::kubelet::result_text(result);
    if (const std::size_t arrow = text.find("->127."); arrow != std::string::npos) {
        const std::size_t colon = text.rfind(':', arrow);
        text.erase(colon + 1, arrow - colon - 1);
    }
    Observed observed{.result = std::string{to_string(result.outcome)},
                      .message = {},
                      .error = {},
                      .requests = {}};
    (error ? observed.error : observed.message) = std::move(text);
    return observed;
}

/// Whether a text is the recorded one, except for the name server's address: Go's resolver reports
/// it and the system's does not.
inline bool same_text(const std::string& text, const std::string& recorded) {
    return text == replaced(recorded, " on {RESOLVER}", "");
}

inline bool agrees(const Observed& observed, const json& expected, const Ports& ports) {
    const std::string message = bytes_of(expected.at("message"), ports);
    const bool same_message =
        expected.value("message_is_prefix", false)
            ? observed.message.starts_with(message) &&
                  observed.message.size() == expected.at("message_len").get<std::size_t>()
            : same_text(observed.message, message);
    return observed.result == expected.at("result").get_ref<const std::string&>() && same_message &&
           same_text(observed.error, bytes_of(expected.at("error"), ports));
}

inline bool agrees_with_case(const Observed& observed, const json& expected, const Ports& ports) {
    std::vector<std::string> requests;
    for (const json& request : list_at(expected, "requests"))
        requests.push_back(bytes_of(request, ports));
    if (observed.requests != requests) return false;
    if (agrees(observed, expected, ports)) return true;
    const json& alternatives = list_at(expected, "alternatives");
    return std::any_of(alternatives.begin(), alternatives.end(), [&](const json& alternative) {
        return agrees(observed, alternative, ports);
    });
}

/// Whether the library is right to reject the settings. The recorded prober failed on them only
/// once it sent a request: ports that do not exist, header names and values that would break the
/// request.
inline bool is_rejected_as_intended(const std::string& name, const json& expected) {
    const bool is_intended = name.starts_with("port-") || name.starts_with("hdr-");
    return is_intended && list_at(expected, "requests").empty();
}

inline std::string shown(const Observed& observed, const json& expected) {
    const auto dump = [](const json& value) {
        return value.dump(-1, ' ', true, json::error_handler_t::replace);
    };
    return observed.result + ", message " + dump(observed.message.substr(0, 300)) + ", error " +
           dump(observed.error) + ", requests " + dump(observed.requests) + "; expected " +
           dump(expected);
}

} // namespace http_case
