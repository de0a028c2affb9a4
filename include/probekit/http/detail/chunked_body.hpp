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

/// Reads the line before a chunk, without its end: hexadecimal digits, perhaps an extension.
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

/// Decodes a chunked body as strictly as Go does. Input comes in pieces of any size.
template <class = OnUse>
class ChunkedBody {
public:
    enum class Status : std::uint8_t {
        incomplete, ///< the input is used up
        data,       ///< `data` is the next part of the body, and part of the input
        complete,   ///< the trailer has ended too
        failed,     ///< see texts.error
    };

    /// How long the line that announces a chunk may be, and the trailer after the last chunk.
    static constexpr std::size_t max_line = 4096;

    Status next(std::string_view& input, ParserTexts& texts, std::string_view& data) {
        Status status = Status::incomplete;
        while (!input.empty() && status == Status::incomplete) {
            switch (state_) {
            case State::line: status = read_line(input, texts); break;
            case State::data:
                data = input.substr(
                    0, static_cast<std::size_t>(std::min<std::uint64_t>(left_, input.size())));
                input.remove_prefix(data.size());
                left_ -= data.size();
                if (left_ == 0) state_ = State::end;
                status = Status::data;
                break;
            case State::end: status = read_end(input, texts); break;
            case State::trailer: status = read_trailer(input, texts); break;
            }
        }
        return status;
    }

    /// What is wrong if the stream ends here.
    [[nodiscard]] std::string_view error_at_end(const ParserTexts& texts) const noexcept {
        if (state_ != State::trailer) return "unexpected EOF";
        return texts.partial_line.size() < 2 ? "http: unexpected EOF reading trailer"
                                             : trailer_too_long;
    }

private:
    enum class State : std::uint8_t { line, data, end, trailer };

    static constexpr std::string_view trailer_too_long =
        "http: suspiciously long trailer after chunked body";

    static Status fail(ParserTexts& texts, std::string_view error) {
        texts.error = error;
        return Status::failed;
    }

    Status read_line(std::string_view& input, ParserTexts& texts) {
        std::string& line = texts.partial_line;
        const std::string_view part = take_line(input);
        const bool is_whole = part.ends_with('\n');
        const std::size_t size = line.size() + part.size();
        if (size > max_line || (size == max_line && !is_whole))
            return fail(texts, "header line too long");
        line.append(part);
        if (!is_whole) return Status::incomplete;
        const std::size_t cr = line.find('\r');
        if (cr == std::string::npos) return fail(texts, "chunked line ends with bare LF");
        if (cr + 2 != line.size()) return fail(texts, "invalid CR in chunked line");

        const ChunkSize chunk = parse_chunk_size(std::string_view{line}.substr(0, cr));
        if (!chunk.error.empty()) return fail(texts, chunk.error);
        // A sender may need more bytes to announce its chunks than it has data in them, but only up
        // to a limit.
        constexpr std::uint64_t enough = 1 << 20;
        const auto allowed = static_cast<std::uint32_t>(16 + 2 * std::min(chunk.value, enough));
        overhead_ += static_cast<std::uint32_t>(line.size());
        overhead_ -= std::min(overhead_, allowed);
        line.clear();
        left_ = chunk.value;
        state_ = left_ == 0 ? State::trailer : State::data;
        if (left_ != 0 && overhead_ > 16 * 1024)
            return fail(texts, "chunked encoding contains too much non-data");
        return Status::incomplete;
    }

    Status read_end(std::string_view& input, ParserTexts& texts) {
        std::string& end = texts.partial_line;
        const std::string_view part = input.substr(0, 2 - end.size());
        end.append(part);
        input.remove_prefix(part.size());
        if (end.size() < 2) return Status::incomplete;
        if (end != "\r\n") return fail(texts, "malformed chunked encoding");
        end.clear();
        state_ = State::line;
        return Status::incomplete;
    }

    Status read_trailer(std::string_view& input, ParserTexts& texts) {
        std::string& trailer = texts.partial_line;
        while (!input.empty() && trailer.size() < max_line) {
            trailer += input.front();
            input.remove_prefix(1);
            if (trailer == "\r\n") return Status::complete;
            if (trailer.ends_with("\r\n\r\n")) return validate_trailer(trailer, texts.error);
        }
        return trailer.size() < max_line ? Status::incomplete : fail(texts, trailer_too_long);
    }

    static Status validate_trailer(std::string_view trailer, std::string& error) {
        ParserTexts texts;
        std::string_view line;
        HeadLines<> lines;
        while (lines.header(trailer, texts, line) == HeadLines<>::Status::line) {
            const HeaderField field = split_header(line);
            if (!field.is_valid) {
                texts.error = malformed_header(line, field);
                break;
            }
            texts.partial_line.clear();
        }
        error = std::move(texts.error);
        return error.empty() ? Status::complete : Status::failed;
    }

    std::uint64_t left_ = 0;     ///< bytes of the chunk that are still to come
    std::uint32_t overhead_ = 0; ///< bytes of announcements beyond what their chunks allow
    State state_ = State::line;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
