// As much of HTTP/1.1 as a small service needs: one request a connection, its size bounded.
#pragma once

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace demo {

constexpr std::size_t max_head = 16384;
constexpr std::size_t max_body = 4096;

struct Request {
    std::string method;
    std::string target;
    std::string user_agent;
    std::size_t content_length = 0;
    std::string body;
    int refused_with =
        0; ///< the status to answer with when the request was not understood or not read
};

inline Request refused(int status) {
    Request request;
    request.refused_with = status;
    return request;
}

struct Response {
    int status = 200;
    std::string body;
};

inline bool equal_ignoring_case(std::string_view a, std::string_view b) {
    const auto lower = [](char c) { return std::tolower(static_cast<unsigned char>(c)); };
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [&](char x, char y) { return lower(x) == lower(y); });
}

inline std::string_view trimmed(std::string_view text) {
    const std::size_t first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) return {};
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// Takes everything up to `end` (and `end` itself) off the front of `text`.
inline std::string_view take_until(std::string_view& text, std::string_view end) {
    const std::size_t at = text.find(end);
    const std::string_view taken = text.substr(0, at);
    text.remove_prefix(at == std::string_view::npos ? text.size() : at + end.size());
    return taken;
}

/// Request line and header fields, up to and with the empty line. No value: this is not a request
/// we understand.
inline std::optional<Request> parse_head(std::string_view head) {
    std::string_view line = take_until(head, "\r\n");
    Request request;
    request.method = take_until(line, " ");
    request.target = take_until(line, " ");
    if (request.method.empty() || !request.target.starts_with('/') || !line.starts_with("HTTP/1."))
        return {};
    // The target is logged: a control character in it could forge a line.
    const auto is_control = [](char c) { return std::iscntrl(static_cast<unsigned char>(c)) != 0; };
    if (std::any_of(request.target.begin(), request.target.end(), is_control)) return {};
    if (std::any_of(request.method.begin(), request.method.end(), is_control)) return {};

    while (!(line = take_until(head, "\r\n")).empty()) {
        const std::string_view name = take_until(line, ":");
        const std::string_view value = trimmed(line);
        if (equal_ignoring_case(name, "User-Agent")) request.user_agent = value;
        if (equal_ignoring_case(name, "Transfer-Encoding"))
            return {}; // bodies come with a length or not at all
        if (equal_ignoring_case(name, "Content-Length")) {
            const char* const end = value.data() + value.size();
            const auto [last, error] = std::from_chars(value.data(), end, request.content_length);
            if (error != std::errc{} || last != end) return {};
        }
    }
    return request;
}

/// The value of a field in an application/x-www-form-urlencoded body; empty if it is not there.
inline std::string_view form_field(std::string_view body, std::string_view name) {
    while (!body.empty()) {
        std::string_view value = take_until(body, "&");
        if (take_until(value, "=") == name) return trimmed(value);
    }
    return {};
}

inline std::string_view reason_of(int status) {
    switch (status) {
    case 200: return "OK";
    case 400: return "Bad Request";
    case 404: return "Not Found";
    case 405: return "Method Not Allowed";
    case 413: return "Content Too Large";
    case 431: return "Request Header Fields Too Large";
    case 506: return "Variant Also Negotiates";
    case 507: return "Insufficient Storage";
    default: return "";
    }
}

inline Response refusal(int status) { return {status, std::string{reason_of(status)} + "\n"}; }

inline std::string to_bytes(const Response& response) {
    return "HTTP/1.1 " + std::to_string(response.status) + " " +
           std::string{reason_of(response.status)} +
           "\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: " +
           std::to_string(response.body.size()) + "\r\nConnection: close\r\n\r\n" + response.body;
}

} // namespace demo
