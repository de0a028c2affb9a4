// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include <probekit/config.hpp>
#include <probekit/core/detail/on_use.hpp>
#include <probekit/http/detail/characters.hpp>
#include <probekit/http/detail/head_lines.hpp>
#include <probekit/http/detail/url_escape.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

struct ChunkSize {
    std::uint64_t value = 0;
    std::string_view error = {};
};

/// The line before a chunk, its end taken off: hexadecimal digits, perhaps an extension.
[[nodiscard]] constexpr ChunkSize parse_chunk_size(std::string_view line) noexcept {
    line = trim_right(line);
    line = line.substr(0, line.find(';'));
    if (line.empty()) return {0, "empty hex number for chunk length"};
    std::uint64_t value = 0;
    for (std::size_t i = 0; i != line.size(); ++i) {
        const int digit = hex_value(line[i]);
        if (digit < 0) return {0, "invalid byte in chunk length"};
        if (i == 16) return {0, "http chunk length too large"};
        value = value << 4 | static_cast<std::uint64_t>(digit);
    }
    return {value, {}};
}

/// Takes the chunks of a body apart, as they come in, as strictly as Go does. What has to be kept
/// between two pieces is in a string of the caller's.
template <class = OnUse>
class BasicChunkedBody {
public:
    enum class Got : std::uint8_t {
        more,     ///< all of the input is taken
        data,     ///< the next part of the body, part of the input
        complete, ///< the trailer is over, too
        failed,   ///< `held` says why, in Go's words
    };

    /// As long as a line that announces a chunk, and as the trailer after the last one, may be.
    static constexpr std::size_t max_line = 4096;

    Got next(std::string_view& input, std::string& held, std::string_view& data) {
        Got got = Got::more;
        while (!input.empty() && got == Got::more) {
            switch (state_) {
            case State::line: got = read_line(input, held); break;
            case State::data:
                data = input.substr(
                    0, static_cast<std::size_t>(std::min<std::uint64_t>(left_, input.size())));
                input.remove_prefix(data.size());
                left_ -= data.size();
                if (left_ == 0) state_ = State::end;
                got = Got::data;
                break;
            case State::end: got = read_end(input, held); break;
            case State::trailer: got = read_trailer(input, held); break;
            }
        }
        return got;
    }

    /// What is wrong if the stream ends here.
    [[nodiscard]] std::string_view cut_off(const std::string& held) const noexcept {
        if (state_ != State::trailer) return "unexpected EOF";
        return held.size() < 2 ? "http: unexpected EOF reading trailer" : trailer_too_long;
    }

private:
    enum class State : std::uint8_t { line, data, end, trailer };

    static constexpr std::string_view trailer_too_long =
        "http: suspiciously long trailer after chunked body";

    static Got fail(std::string_view error, std::string& held) {
        held = error;
        return Got::failed;
    }

    Got read_line(std::string_view& input, std::string& held) {
        const std::string_view part = take_line(input);
        const bool is_whole = part.ends_with('\n');
        const std::size_t size = held.size() + part.size();
        if (size > max_line || (size == max_line && !is_whole))
            return fail("header line too long", held);
        held.append(part);
        if (!is_whole) return Got::more;
        const std::size_t cr = held.find('\r');
        if (cr == std::string::npos) return fail("chunked line ends with bare LF", held);
        if (cr + 2 != held.size()) return fail("invalid CR in chunked line", held);

        const ChunkSize chunk = parse_chunk_size(std::string_view{held}.substr(0, cr));
        if (!chunk.error.empty()) return fail(chunk.error, held);
        // A sender may need more bytes to announce its chunks than it has data in them, but not
        // without end.
        constexpr std::uint64_t enough = 1 << 20;
        overhead_ += held.size();
        overhead_ -= std::min(overhead_, 16 + 2 * std::min(chunk.value, enough));
        held.clear();
        left_ = chunk.value;
        state_ = left_ == 0 ? State::trailer : State::data;
        if (left_ != 0 && overhead_ > 16 * 1024)
            return fail("chunked encoding contains too much non-data", held);
        return Got::more;
    }

    Got read_end(std::string_view& input, std::string& held) {
        const std::string_view part = input.substr(0, 2 - held.size());
        held.append(part);
        input.remove_prefix(part.size());
        if (held.size() < 2) return Got::more;
        if (held != "\r\n") return fail("malformed chunked encoding", held);
        held.clear();
        state_ = State::line;
        return Got::more;
    }

    Got read_trailer(std::string_view& input, std::string& held) {
        while (!input.empty() && held.size() < max_line) {
            held += input.front();
            input.remove_prefix(1);
            if (held == "\r\n") return Got::complete;
            if (held.ends_with("\r\n\r\n")) return check_trailer(held);
        }
        return held.size() < max_line ? Got::more : fail(trailer_too_long, held);
    }

    static Got check_trailer(std::string& held) {
        const std::string trailer = std::exchange(held, {});
        std::string_view rest = trailer;
        std::string_view line;
        HeadLines lines;
        for (;;) {
            const HeadLines::Got got = lines.header(rest, held, line);
            if (got == HeadLines::Got::failed) return Got::failed;
            if (got != HeadLines::Got::line) return Got::complete;
            const HeaderField field = split_header(line);
            if (!field.is_proper) return fail(improper_header(line, field), held);
            held.clear();
        }
    }

    std::uint64_t left_ = 0;     ///< of the chunk
    std::uint64_t overhead_ = 0; ///< of announcements over what they announced
    State state_ = State::line;
};

using ChunkedBody = BasicChunkedBody<>;

} // namespace probekit::inline PROBEKIT_ABI::detail
