// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include <probekit/config.hpp>
#include <probekit/core/go_text.hpp>
#include <probekit/http/detail/characters.hpp>
#include <probekit/http/detail/chunked_body.hpp>
#include <probekit/http/detail/framing.hpp>
#include <probekit/http/detail/head_lines.hpp>

namespace probekit::inline PROBEKIT_ABI::http {

/// Parses one HTTP/1.x response, with the rules and the error texts of Go's net/http.
/// \code
/// // given: std::string_view piece
/// #include <cstdio>
/// using Event = http::ResponseParser::Event;
/// http::ResponseParser parser;
/// Event event = parser.next(piece);
/// for (; event == Event::head || event == Event::body; event = parser.next(piece))
///     std::printf("%d: %zu bytes\n", parser.status(), parser.body().size());
/// \endcode
/// The response comes in pieces of any size. Interim responses (1xx except 101) are skipped. The
/// parser keeps only the headers that frame the body, and copies no header line that is in one
/// piece. `max_line` bounds all memory.
class ResponseParser {
public:
    enum class Event : std::uint8_t {
        more,     ///< the piece is used up
        head,     ///< status() and length() are known now
        body,     ///< body() is the next part of the body, and part of the piece
        complete, ///< the response has ended; the rest of the piece does not belong to it
        failed,   ///< error() says why
    };

    /// How much Go reads of heads, interim ones included.
    static constexpr std::uint64_t max_head = std::uint64_t{10} * 1024 * 1024;
    /// A longer line of a head is read only up to here, and is not passed to `on_header`.
    static constexpr std::size_t max_line = detail::HeadLines<>::max_line;
    /// length() of a body that is chunked, or that ends with the stream.
    static constexpr std::uint64_t unknown_length = detail::Framing<>::unknown_length;

    /// Reads up to the next event and removes what it has read from `input`. Calls
    /// `on_header(name, value)` for each header, those of interim responses included; status() is
    /// known then. Name and value are valid during the call only. Must not be called after
    /// `failed`.
    template <class OnHeader>
    Event next(std::string_view& input, OnHeader&& on_header) {
        PROBEKIT_ASSERT(state_ != State::failed);
        started_ = started_ || !input.empty();
        switch (state_) {
        case State::status_line:
        case State::headers: return read_head(input, on_header);
        case State::counted:
        case State::until_end: return read_plain_body(input);
        case State::chunked: return read_chunked_body(input);
        case State::complete: return Event::complete;
        case State::failed: break;
        }
        detail::unreachable();
    }

    Event next(std::string_view& input) {
        return next(input, [](std::string_view, std::string_view) {});
    }

    /// Tells the parser that the stream has ended or broken. Returns what the response amounts to,
    /// `complete` or `failed`. Must not be called after one of these.
    Event finish() {
        PROBEKIT_ASSERT(state_ != State::failed && state_ != State::complete);
        switch (state_) {
        case State::status_line:
        case State::headers: return finish_truncated_head();
        case State::counted: return fail("unexpected EOF");
        case State::chunked: return fail(std::string{chunks_.error_at_end(texts_)});
        case State::until_end: state_ = State::complete; return Event::complete;
        case State::complete:
        case State::failed: break;
        }
        detail::unreachable();
    }

    /// Whether anything has come yet.
    [[nodiscard]] bool started() const noexcept { return started_; }

    /// Whether the next byte begins the head of a response.
    [[nodiscard]] bool between_heads() const noexcept {
        return state_ == State::status_line && texts_.partial_line.empty();
    }

    [[nodiscard]] int status() const noexcept { return status_; }

    /// How many bytes of the body are announced and still to come. Valid from Event::head on.
    [[nodiscard]] std::uint64_t length() const noexcept {
        return state_ == State::counted ? left_ : state_ == State::complete ? 0 : unknown_length;
    }

    [[nodiscard]] std::string_view body() const noexcept { return body_; }

    /// Why the response is malformed, in Go's words.
    [[nodiscard]] const std::string& error() const noexcept { return texts_.error; }

private:
    enum class State : std::uint8_t {
        status_line,
        headers,
        counted,
        until_end,
        chunked,
        complete,
        failed
    };
    using Line = detail::HeadLines<>::Status;

    Event fail() noexcept {
        state_ = State::failed;
        return Event::failed;
    }

    Event fail(std::string error) noexcept {
        texts_.error = std::move(error);
        return fail();
    }

    Event head_too_large() {
        return fail("net/http: server response headers exceeded 10485760 bytes; aborted");
    }

    template <class OnHeader>
    Event read_head(std::string_view& input, OnHeader& on_header) {
        while (!input.empty()) {
            const std::size_t size = input.size();
            std::string_view name;
            std::string_view value;
            if (state_ == State::headers && lines_.simple_header(input, texts_, name, value)) {
                head_read_ += size - input.size();
                if (head_read_ > max_head) return head_too_large();
                framing_.on_header(name, value);
                on_header(name, value);
                continue;
            }
            std::string_view line;
            const Line status =
                state_ == State::status_line       ? lines_.status_line(input, texts_, line)
                : lines_.simple_end(input, texts_) ? Line::end
                                                   : lines_.header(input, texts_, line);
            head_read_ += size - input.size();
            if (head_read_ > max_head) return head_too_large();
            if (status == Line::failed) return fail();
            if (status == Line::line) read_line(line, on_header);
            if (status == Line::end && finish_head()) return Event::head;
            if (state_ == State::failed) return Event::failed;
        }
        return Event::more;
    }

    template <class OnHeader>
    void read_line(std::string_view line, OnHeader& on_header) {
        const bool is_long = line.size() > max_line;
        line = line.substr(0, max_line);
        if (state_ == State::status_line) {
            read_status(line);
        } else if (const detail::HeaderField field = detail::split_header(line); !field.is_valid) {
            fail(detail::malformed_header(line, field));
        } else if (field.has_token_name) {
            framing_.on_header(field.name, field.value);
            if (!is_long) on_header(field.name, field.value);
        }
        texts_.partial_line.clear();
    }

    void read_status(std::string_view line) {
        // Nearly every status line has each part at the same place, so none is searched for.
        constexpr std::string_view usual = "HTTP/1.1 ";
        constexpr std::size_t end = usual.size() + 3;
        if (line.size() > end && std::memcmp(line.data(), usual.data(), usual.size()) == 0 &&
            line[end] == ' ' &&
            begin_headers(11, detail::parse_status_code(line.substr(usual.size(), 3))))
            return;
        read_status_slowly(line);
    }

    [[gnu::noinline]] void read_status_slowly(std::string_view line) {
        const std::size_t blank = line.find(' ');
        if (blank == std::string_view::npos) {
            fail("malformed HTTP response " + go_quoted(line));
            return;
        }
        const std::string_view version = line.substr(0, blank);
        line.remove_prefix(std::min(line.find_first_not_of(' ', blank), line.size()));
        const std::string_view code = line.substr(0, line.find(' '));
        if (begin_headers(detail::parse_http_version(version), detail::parse_status_code(code)))
            return;
        if (status_ < 0)
            fail("malformed HTTP status code " + go_quoted(code));
        else
            fail("malformed HTTP version " + go_quoted(version));
    }

    /// False if one of them is -1.
    bool begin_headers(int version, int status) noexcept {
        status_ = status;
        if (version < 0 || status < 0) return false;
        framing_ = {version != 0 && version < 11, status == 101}; // Go takes HTTP/0.0 for HTTP/1.1
        state_ = State::headers;
        return true;
    }

    /// The blank line has been read. Returns whether the head was that of the final response.
    bool finish_head() {
        if (!framing_.is_ordinary()) {
            if (std::string error = framing_.resolve(); !error.empty()) {
                fail(std::move(error));
                return false;
            }
        }
        const bool is_interim = status_ >= 100 && status_ <= 199;
        if (is_interim && status_ != 101) {
            state_ = State::status_line;
            return false;
        }
        left_ = framing_.length();
        if (status_ == 101 && framing_.switches_protocol()) {
            state_ = State::until_end; // bytes of another protocol, which Go does not look into
        } else if (is_interim || status_ == 204 || status_ == 304) {
            state_ = State::complete;
        } else if (framing_.is_chunked()) {
            state_ = State::chunked;
        } else if (left_ == unknown_length) {
            state_ = State::until_end;
        } else {
            state_ = left_ == 0 ? State::complete : State::counted;
        }
        return true;
    }

    /// Go parses what has come of a line as a whole line before it reports the end of the stream.
    Event finish_truncated_head() {
        // A status line that fills Go's buffer to the last byte is an exception: Go discards it.
        constexpr std::size_t buffer_size = 4096;
        const std::string& partial = texts_.partial_line;
        if (state_ == State::status_line && partial.size() % buffer_size == 0 &&
            !partial.ends_with('\r'))
            return fail("unexpected EOF");
        std::string_view line = partial;
        const Line status = state_ == State::headers ? lines_.last_header(texts_, line)
                            : line.empty()           ? Line::incomplete
                                                     : Line::line;
        if (status == Line::failed) return fail();
        auto ignore = [](std::string_view, std::string_view) {};
        if (status == Line::line) read_line(line, ignore);
        return state_ == State::failed ? Event::failed : fail("unexpected EOF");
    }

    Event read_plain_body(std::string_view& input) noexcept {
        if (input.empty()) return Event::more;
        const bool is_counted = state_ == State::counted;
        const std::uint64_t size =
            is_counted ? std::min<std::uint64_t>(left_, input.size()) : input.size();
        body_ = input.substr(0, static_cast<std::size_t>(size));
        input.remove_prefix(body_.size());
        if (is_counted) left_ -= body_.size();
        if (left_ == 0) state_ = State::complete;
        return Event::body;
    }

    Event read_chunked_body(std::string_view& input) {
        using Chunks = detail::ChunkedBody<>;
        switch (chunks_.next(input, texts_, body_)) {
        case Chunks::Status::incomplete: return Event::more;
        case Chunks::Status::data: return Event::body;
        case Chunks::Status::complete: state_ = State::complete; return Event::complete;
        case Chunks::Status::failed: return fail();
        }
        detail::unreachable();
    }

    detail::ParserTexts texts_ = {};
    std::string_view body_ = {};
    detail::Framing<> framing_ = {};
    detail::ChunkedBody<> chunks_ = {};
    std::uint64_t left_ = 0; ///< bytes of a counted body that are still to come
    std::uint64_t head_read_ = 0;
    int status_ = -1;
    State state_ = State::status_line;
    detail::HeadLines<> lines_ = {};
    bool started_ = false;
};

} // namespace probekit::inline PROBEKIT_ABI::http
