// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include <probekit/config.hpp>
#include <probekit/core/detail/on_use.hpp>
#include <probekit/core/go_text.hpp>
#include <probekit/http/detail/characters.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// Takes the first line of `input` (not empty), its end included, or what there is of it.
[[nodiscard]] inline std::string_view take_line(std::string_view& input) noexcept {
    const auto* const end = static_cast<const char*>(std::memchr(input.data(), '\n', input.size()));
    const std::size_t size =
        end != nullptr ? static_cast<std::size_t>(end + 1 - input.data()) : input.size();
    const std::string_view part = input.substr(0, size);
    input.remove_prefix(size);
    return part;
}

/// One header.
struct HeaderField {
    std::string_view name = {};
    std::string_view value = {};
    bool is_plain =
        false; ///< the name is a token; one with blanks in it is let pass, but means nothing
    bool is_proper = false;
};

/// `line` has a colon in it.
template <class = OnUse>
[[nodiscard]] inline HeaderField split_header(std::string_view line) noexcept {
    auto colon =
        static_cast<std::size_t>(token_end(line.data()) - line.data()); // a colon is no token
    const bool is_plain = line[colon] == ':' && colon != 0;
    bool has_proper_name = is_plain;
    if (!is_plain) {
        colon = line.find(':');
        has_proper_name = colon != 0;
        for (const char c : line.substr(0, colon))
            has_proper_name = has_proper_name && (is_token_byte(c) || c == ' ');
    }
    const std::string_view value = line.substr(colon + 1);
    return {line.substr(0, colon), trim_left(value), is_plain,
            has_proper_name && !has_control(value)};
}

/// What Go says of one that is not proper: with the name as it has put it already.
template <class = OnUse>
[[nodiscard]] inline std::string improper_header(std::string_view line, const HeaderField& field) {
    std::string name = field.is_plain ? canonical_header_name(field.name) : std::string{field.name};
    return "malformed MIME header line: " + go_quoted(name.append(line.substr(name.size())));
}

/// Cuts the head of a response into lines, from pieces of any size. A header may go on in further
/// lines, which begin with a blank, so its end is known only when the next byte is. What has to be
/// kept is in a string of the caller's, which is to be cleared after each line; a line that lies
/// whole in one piece is not copied.
template <class = OnUse>
class BasicHeadLines {
public:
    /// A longer line is cut off here, and may still be a byte or two longer than this: so its
    /// length tells.
    static constexpr std::size_t max_line = 16 * 1024;

    enum class Got : std::uint8_t {
        more,   ///< all of the input is taken, and there is no whole line yet
        line,   ///< valid until the next call
        end,    ///< the blank line
        failed, ///< `held` says why, in Go's words
    };

    /// The common case, read in place: a proper header that lies whole in the input, with something
    /// behind it that does not carry it on. False: nothing is taken, and header() is to look at it.
    bool plain_header(std::string_view& input, const std::string& held, std::string_view& name,
                      std::string_view& value) noexcept {
        if (fold_ != Fold::none || !held.empty()) return false;
        const char* const begin = input.data();
        const auto* const end = static_cast<const char*>(std::memchr(begin, '\n', input.size()));
        if (end == nullptr || end + 1 == begin + input.size() || is_blank(end[1])) return false;
        if (end - begin > std::ptrdiff_t{max_line}) return false;
        const char* const colon = token_end(begin); // the line's end is no token
        if (colon == begin || *colon != ':') return false;
        const char* from = colon + 1;
        const char* to = end;
        if (to[-1] == '\r') --to;
        while (from != to && is_blank(*from)) ++from;
        while (from != to && is_blank(to[-1])) --to;
        value = {from, to};
        if (has_control(value)) return false;
        name = {begin, colon};
        input.remove_prefix(static_cast<std::size_t>(end + 1 - begin));
        is_first_ = false;
        return true;
    }

    /// The blank line, if it lies whole at the beginning of the input.
    bool plain_end(std::string_view& input, const std::string& held) noexcept {
        if (fold_ != Fold::none || !held.empty()) return false;
        const std::size_t end = input.starts_with('\r') ? 1 : 0;
        if (end == input.size() || input[end] != '\n') return false;
        input.remove_prefix(end + 1);
        is_first_ = false;
        return true;
    }

    /// A line that cannot go on in the next one. `input` is not empty.
    Got status_line(std::string_view& input, std::string& held, std::string_view& line) {
        const std::string_view part = take_line(input);
        const bool is_whole = part.ends_with('\n');
        if (!is_whole || !held.empty()) hold(part, held);
        if (!is_whole) return Got::more;
        line = cut(without_line_end(held.empty() ? part : std::string_view{held}));
        is_first_ = true;
        return Got::line;
    }

    Got header(std::string_view& input, std::string& held, std::string_view& line) {
        while (!input.empty()) {
            if (fold_ == Fold::undecided) {
                if (!is_blank(input.front())) {
                    fold_ = Fold::none;
                    line = held;
                    return Got::line;
                }
                fold_ = Fold::blanks;
                hold(" ", held);
                fold_start_ = static_cast<std::uint16_t>(held.size()); // at most most_kept
            }
            if (fold_ == Fold::blanks) {
                input.remove_prefix(std::min(input.find_first_not_of(" \t"), input.size()));
                if (input.empty()) return Got::more;
                fold_ = Fold::text;
            }
            const std::string_view part = take_line(input);
            const bool is_whole = part.ends_with('\n');
            if (!is_whole || !held.empty()) hold(part, held);
            if (!is_whole) return Got::more;

            const std::string_view text =
                cut(without_line_end(held.empty() ? part : std::string_view{held}));
            if (text.empty()) {
                held.clear();
                is_first_ = false;
                return Got::end;
            }
            if (fold_ == Fold::none && !check_first_line(text, held)) return Got::failed;
            if (held.empty() && !input.empty() && !is_blank(input.front())) {
                line = trim_right(text);
                return Got::line;
            }
            if (held.empty()) held = text;
            trim_end(held);
            fold_ = Fold::undecided;
        }
        return Got::more;
    }

    /// The stream has ended: what there is of a header counts as a line. `more`: nothing.
    Got last_header(std::string& held, std::string_view& line) {
        if (held.empty()) return Got::more;
        if (fold_ == Fold::none && !check_first_line(cut(held), held)) return Got::failed;
        if (fold_ != Fold::undecided) trim_end(held);
        fold_ = Fold::none;
        line = held;
        return Got::line;
    }

private:
    /// Where a header stands that may go on in another line.
    enum class Fold : std::uint8_t { none, undecided, blanks, text };

    static constexpr std::size_t most_kept = max_line + 2; // with its end

    [[nodiscard]] static std::string_view cut(std::string_view line) noexcept {
        return line.substr(0, most_kept);
    }

    static void hold(std::string_view part, std::string& held) {
        held.append(part.substr(0, most_kept - std::min(held.size(), most_kept)));
    }

    /// Every line of a header is trimmed for itself.
    void trim_end(std::string& held) const {
        const std::size_t start = fold_ == Fold::none ? std::size_t{0} : fold_start_;
        const std::string_view line = std::string_view{held}.substr(start);
        held.resize(start + trim_right(without_line_end(line)).size());
    }

    /// What must be so of the first line of a header, whatever follows.
    bool check_first_line(std::string_view line, std::string& held) {
        const bool is_indented = is_first_ && is_blank(line.front());
        is_first_ = false;
        constexpr std::size_t longest_shown = 80;
        std::string error;
        if (is_indented)
            error = line.size() > longest_shown
                        ? "message too large"
                        : "malformed MIME header initial line: " + go_quoted(line);
        else if (line.find(':') == std::string_view::npos)
            error = "malformed MIME header: missing colon: " + go_quoted(line);
        if (error.empty()) return true;
        held = std::move(error);
        return false;
    }

    std::uint16_t fold_start_ = 0; ///< of the held bytes: where the line that is being read begins
    Fold fold_ = Fold::none;
    bool is_first_ = true;
};

using HeadLines = BasicHeadLines<>;

} // namespace probekit::inline PROBEKIT_ABI::detail
