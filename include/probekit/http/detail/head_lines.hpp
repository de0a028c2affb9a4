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

/// The two texts of a response parser. Its parts share them.
struct ParserTexts {
    std::string partial_line = {}; ///< what has come of a line whose end has not come yet
    std::string error = {};        ///< why the response is malformed, in Go's words
};

/// Removes the first line of `input`, its end included, or all of `input` if no line ends in it.
/// `input` must not be empty.
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
    bool has_token_name =
        false; ///< Go accepts a name with spaces in it too, and ignores the header
    bool is_valid = false;
};

/// `line` must have a colon.
template <class = OnUse>
[[nodiscard]] inline HeaderField split_header(std::string_view line) noexcept {
    PROBEKIT_ASSERT(line.find(':') != std::string_view::npos);
    const char* const token = token_end(line.data(), line.data() + line.size());
    auto colon = static_cast<std::size_t>(token - line.data());
    const bool has_token_name = line[colon] == ':' && colon != 0;
    bool is_valid_name = has_token_name;
    if (!has_token_name) {
        colon = line.find(':');
        is_valid_name = colon != 0;
        for (const char c : line.substr(0, colon))
            is_valid_name = is_valid_name && (is_token_byte(c) || c == ' ');
    }
    const std::string_view value = line.substr(colon + 1);
    return {line.substr(0, colon), trim_left(value), has_token_name,
            is_valid_name && !has_control(value)};
}

/// Go's error for a header that is not valid. Go has put the name in canonical form by then.
template <class = OnUse>
[[nodiscard]] inline std::string malformed_header(std::string_view line, const HeaderField& field) {
    std::string name =
        field.has_token_name ? canonical_header_name(field.name) : std::string{field.name};
    return "malformed MIME header line: " + go_quoted(name.append(line.substr(name.size())));
}

/// Splits the head of a response into lines. Input comes in pieces of any size. A header may
/// continue in further lines, which begin with a blank, so its end is known only once the byte
/// after it is. A line that crosses pieces is collected in `texts.partial_line`, which the caller
/// clears after each line; a line that lies in one piece is not copied.
template <class = OnUse>
class HeadLines {
public:
    /// A longer line is truncated here, or one or two bytes later, so that its length shows it.
    static constexpr std::size_t max_line = std::size_t{16} * 1024;

    enum class Status : std::uint8_t {
        incomplete, ///< the input is used up, and the line has not ended
        line,       ///< `line` is valid until the next call
        end,        ///< the blank line
        failed,     ///< see texts.error
    };

    /// Reads the common header in place: one that is valid, lies in the input as a whole, and is
    /// followed by a byte that does not continue it. False: it is another one, nothing was read,
    /// and header() is to read it.
    bool simple_header(std::string_view& input, const ParserTexts& texts, std::string_view& name,
                       std::string_view& value) noexcept {
        if (fold_ != Fold::none || !texts.partial_line.empty()) return false;
        const char* const begin = input.data();
        const auto* const end = static_cast<const char*>(std::memchr(begin, '\n', input.size()));
        if (end == nullptr || end + 1 == begin + input.size() || is_blank(end[1])) return false;
        if (end - begin > std::ptrdiff_t{max_line}) return false;
        const char* const colon = token_end(begin, end + 1); // LF belongs to no token
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

    /// Reads the blank line if the input begins with all of it.
    bool simple_end(std::string_view& input, const ParserTexts& texts) noexcept {
        if (fold_ != Fold::none || !texts.partial_line.empty()) return false;
        const std::size_t end = input.starts_with('\r') ? 1 : 0;
        if (end == input.size() || input[end] != '\n') return false;
        input.remove_prefix(end + 1);
        is_first_ = false;
        return true;
    }

    /// Reads the status line, which never continues in the next line. `input` must not be empty.
    Status status_line(std::string_view& input, ParserTexts& texts, std::string_view& line) {
        const std::string_view part = take_line(input);
        const bool is_whole = part.ends_with('\n');
        std::string& partial = texts.partial_line;
        if (!is_whole || !partial.empty()) append(partial, part);
        if (!is_whole) return Status::incomplete;
        line = truncated(without_line_end(partial.empty() ? part : std::string_view{partial}));
        is_first_ = true;
        return Status::line;
    }

    Status header(std::string_view& input, ParserTexts& texts, std::string_view& line) {
        std::string& partial = texts.partial_line;
        while (!input.empty()) {
            if (fold_ == Fold::undecided) {
                if (!is_blank(input.front())) {
                    fold_ = Fold::none;
                    line = partial;
                    return Status::line;
                }
                fold_ = Fold::blanks;
                append(partial, " ");
                fold_start_ = static_cast<std::uint16_t>(partial.size()); // at most max_partial
            }
            if (fold_ == Fold::blanks) {
                input.remove_prefix(std::min(input.find_first_not_of(" \t"), input.size()));
                if (input.empty()) return Status::incomplete;
                fold_ = Fold::text;
            }
            const std::string_view part = take_line(input);
            const bool is_whole = part.ends_with('\n');
            if (!is_whole || !partial.empty()) append(partial, part);
            if (!is_whole) return Status::incomplete;

            const std::string_view text =
                truncated(without_line_end(partial.empty() ? part : std::string_view{partial}));
            if (text.empty()) {
                partial.clear();
                is_first_ = false;
                return Status::end;
            }
            if (fold_ == Fold::none && !accepts_first_line(text, texts.error))
                return Status::failed;
            if (partial.empty() && !input.empty() && !is_blank(input.front())) {
                line = trim_right(text);
                return Status::line;
            }
            if (partial.empty()) partial = text;
            trim_end(partial);
            fold_ = Fold::undecided;
        }
        return Status::incomplete;
    }

    /// The stream has ended: what has come of a header counts as a line. `incomplete`: nothing has.
    Status last_header(ParserTexts& texts, std::string_view& line) {
        std::string& partial = texts.partial_line;
        if (partial.empty()) return Status::incomplete;
        if (fold_ == Fold::none && !accepts_first_line(truncated(partial), texts.error))
            return Status::failed;
        if (fold_ != Fold::undecided) trim_end(partial);
        fold_ = Fold::none;
        line = partial;
        return Status::line;
    }

private:
    /// How far a header is read that may continue in another line.
    enum class Fold : std::uint8_t {
        none,      ///< in its first line
        undecided, ///< after a line: the next byte decides
        blanks,    ///< in the blanks that begin a further line
        text,      ///< in the rest of that line
    };

    static constexpr std::size_t max_partial = max_line + 2; // CR LF included

    [[nodiscard]] static std::string_view truncated(std::string_view line) noexcept {
        return line.substr(0, max_partial);
    }

    static void append(std::string& partial, std::string_view part) {
        partial.append(part.substr(0, max_partial - std::min(partial.size(), max_partial)));
    }

    /// Trims the end of the header's last line: Go trims each line by itself.
    void trim_end(std::string& partial) const {
        const std::size_t start = fold_ == Fold::none ? std::size_t{0} : fold_start_;
        const std::string_view line = std::string_view{partial}.substr(start);
        partial.resize(start + trim_right(without_line_end(line)).size());
    }

    /// What a header's first line must fulfil, whatever follows it.
    bool accepts_first_line(std::string_view line, std::string& error) {
        const bool is_indented = is_first_ && is_blank(line.front());
        is_first_ = false;
        constexpr std::size_t longest_shown = 80;
        if (is_indented)
            error = line.size() > longest_shown
                        ? "message too large"
                        : "malformed MIME header initial line: " + go_quoted(line);
        else if (line.find(':') == std::string_view::npos)
            error = "malformed MIME header: missing colon: " + go_quoted(line);
        return error.empty();
    }

    std::uint16_t fold_start_ = 0; ///< where the line that is being read begins in partial_line
    Fold fold_ = Fold::none;
    bool is_first_ = true;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
