// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <probekit/config.hpp>
#include <probekit/core/detail/on_use.hpp>
#include <probekit/core/go_text.hpp>
#include <probekit/http/detail/characters.hpp>

// The parts of a response's head that say how its body is framed.
namespace probekit::inline PROBEKIT_ABI::detail {

/// The three characters of a status code; -1 if they are not a code. A sign is accepted, as by Go's
/// Atoi.
[[nodiscard]] constexpr int parse_status_code(std::string_view text) noexcept {
    if (text.size() != 3) return -1;
    int sign = 1;
    if (text.front() == '+' || text.front() == '-') {
        sign = text.front() == '-' ? -1 : 1;
        text.remove_prefix(1);
    }
    int code = 0;
    for (const char c : text) {
        if (c < '0' || c > '9') return -1;
        code = code * 10 + (c - '0');
    }
    return sign * code < 0 ? -1 : code;
}

/// "HTTP/1.1" is 11; -1 if the text is not a version.
[[nodiscard]] constexpr int parse_http_version(std::string_view text) noexcept {
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    if (text.size() != 8 || !text.starts_with("HTTP/") || text[6] != '.') return -1;
    if (!is_digit(text[5]) || !is_digit(text[7])) return -1;
    return (text[5] - '0') * 10 + (text[7] - '0');
}

/// What the headers of one head say about its body. An ordinary head is kept as numbers and flags.
/// Unusual values are kept as text, because Go reports errors in another order than that of the
/// headers. The functions for unusual heads are never inlined, so that ordinary ones run past them.
template <class = OnUse>
class Framing {
public:
    static constexpr std::uint64_t unknown_length = std::numeric_limits<std::uint64_t>::max();

    Framing() = default;

    /// `ignores_transfer_encoding`: HTTP/1.0 has none. `may_switch`: another protocol may follow.
    Framing(bool ignores_transfer_encoding, bool may_switch) noexcept
        : ignores_transfer_encoding_(ignores_transfer_encoding), may_switch_(may_switch) {}

    void on_header(std::string_view name, std::string_view value) {
        switch (name.size()) {
        case 7:
            if (iequals(name, "upgrade"))
                has_upgrade_ = has_upgrade_ || !value.empty();
            else if (iequals(name, "trailer"))
                on_trailer(value);
            break;
        case 10:
            if (may_switch_ && is_header(name, "connection")) on_connection(value);
            break;
        case 14:
            if (is_header(name, "content-length")) on_content_length(value);
            break;
        case 17:
            if (is_header(name, "transfer-encoding") && !ignores_transfer_encoding_)
                on_transfer_encoding(value);
            break;
        default: break;
        }
    }

    /// False: resolve() is to be called at the end of the head.
    [[nodiscard]] bool is_ordinary() const noexcept { return !unusual_ && !chunked_; }

    /// Evaluates the unusual values. Returns what is wrong with them, in Go's words; empty if
    /// nothing is.
    [[nodiscard, gnu::noinline]] std::string resolve() {
        if (unusual_) {
            std::string error = resolve_encodings(unusual_->encodings);
            if (error.empty()) error = resolve_lengths(unusual_->lengths);
            if (!error.empty()) return error;
        }
        if (chunked_ && bad_trailer_ != nullptr)
            return "bad trailer key " + go_quoted(bad_trailer_);
        return {};
    }

    [[nodiscard]] bool is_chunked() const noexcept { return chunked_; }
    [[nodiscard]] std::uint64_t length() const noexcept { return length_; }
    [[nodiscard]] bool switches_protocol() const noexcept {
        return has_upgrade_ && connection_upgrade_;
    }

private:
    struct Unusual {
        std::vector<std::string> lengths = {};
        std::vector<std::string> encodings = {};
    };

    Unusual& unusual() {
        if (!unusual_) unusual_ = std::make_unique<Unusual>();
        return *unusual_;
    }

    static void add(std::vector<std::string>& values, std::string_view value) {
        constexpr std::size_t most = 16; // enough to show what is wrong
        if (values.size() < most) values.emplace_back(value);
    }

    /// A number in its ordinary form; unknown_length for every other text, right or wrong.
    [[nodiscard]] static std::uint64_t ordinary_number(std::string_view text) noexcept {
        if (text.empty() || text.size() > 18 || (text.front() == '0' && text.size() > 1))
            return unknown_length;
        std::uint64_t value = 0;
        for (const char c : text) {
            if (c < '0' || c > '9') return unknown_length;
            value = value * 10 + static_cast<std::uint64_t>(c - '0');
        }
        return value;
    }

    void on_content_length(std::string_view value) {
        const bool first = length_ == unknown_length && (!unusual_ || unusual_->lengths.empty());
        const std::uint64_t number = ordinary_number(value);
        if (first && number != unknown_length)
            length_ = number;
        else
            on_unusual_length(value, first);
    }

    [[gnu::noinline]] void on_unusual_length(std::string_view value, bool first) {
        std::vector<std::string>& lengths = unusual().lengths;
        if (!first && lengths.empty()) lengths.push_back(std::to_string(length_));
        add(lengths, value);
    }

    [[gnu::noinline]] void on_connection(std::string_view value) noexcept {
        connection_upgrade_ =
            connection_upgrade_ || any_element(value, [](std::string_view element) {
                return iequals(element, "upgrade");
            });
    }

    [[gnu::noinline]] void on_transfer_encoding(std::string_view value) {
        const bool first = !chunked_ && (!unusual_ || unusual_->encodings.empty());
        if (first && value == "chunked") {
            chunked_ = true;
            return;
        }
        std::vector<std::string>& encodings = unusual().encodings;
        if (chunked_ && encodings.empty()) encodings.emplace_back("chunked");
        add(encodings, value);
    }

    [[gnu::noinline]] void on_trailer(std::string_view value) noexcept {
        any_element(value, [this](std::string_view element) {
            for (const char* const forbidden : {"Transfer-Encoding", "Trailer", "Content-Length"})
                if (bad_trailer_ == nullptr && iequals(element, forbidden))
                    bad_trailer_ = forbidden;
            return bad_trailer_ != nullptr;
        });
    }

    [[nodiscard]] static std::string list(const std::vector<std::string>& values) {
        std::string text = "[";
        for (const std::string& value : values)
            text += (text.size() > 1 ? " " : "") + go_quoted(value);
        return text + "]";
    }

    [[nodiscard]] std::string resolve_encodings(const std::vector<std::string>& encodings) {
        if (encodings.empty()) return {};
        if (encodings.size() > 1) return "too many transfer encodings: " + list(encodings);
        if (!iequals(encodings.front(), "chunked"))
            return "unsupported transfer encoding: " + go_quoted(encodings.front());
        chunked_ = true;
        return {};
    }

    [[nodiscard]] std::string resolve_lengths(const std::vector<std::string>& lengths) {
        if (lengths.empty()) return {};
        const std::string_view first = trim(lengths.front());
        for (const std::string& length : lengths)
            if (trim(length) != first)
                return "http: message cannot contain multiple Content-Length headers; got " +
                       list(lengths);
        if (first.empty()) return "invalid empty Content-Length " + go_quoted(first);
        std::uint64_t number = 0;
        constexpr std::uint64_t most = std::numeric_limits<std::int64_t>::max();
        for (const char c : first) {
            const auto digit = static_cast<std::uint64_t>(static_cast<unsigned char>(c)) - '0';
            if (digit > 9 || number > (most - digit) / 10)
                return "bad Content-Length " + go_quoted(first);
            number = number * 10 + digit;
        }
        length_ = number;
        return {};
    }

    std::unique_ptr<Unusual> unusual_ = {};
    const char* bad_trailer_ = nullptr; ///< a header that must not be in a trailer
    std::uint64_t length_ = unknown_length;
    bool ignores_transfer_encoding_ = false;
    bool may_switch_ = false;
    bool chunked_ = false;
    bool has_upgrade_ = false;
    bool connection_upgrade_ = false;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
