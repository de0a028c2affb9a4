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
#include <probekit/core/detail/on_use.hpp>
#include <probekit/core/go_text.hpp>
#include <probekit/http/detail/characters.hpp>
#include <probekit/http/detail/chunked_body.hpp>
#include <probekit/http/detail/framing.hpp>
#include <probekit/http/detail/head_lines.hpp>

namespace probekit::inline PROBEKIT_ABI::http {

/// Reads one HTTP/1.x response as it comes in, in pieces of any size, with the rules and the words
/// of Go's net/http. Interim responses (1xx but 101) are passed over. Nothing is kept of headers
/// but what frames the body; a header line that lies whole in one piece is not even copied. All
/// memory is bounded by `max_line`.
template <class = detail::OnUse>
class BasicResponseParser {
public:
    enum class Event : std::uint8_t {
        more,     ///< the piece is used up
        head,     ///< status() and length() are known now
        body,     ///< body() is the next part of it, a part of the piece
        complete, ///< the response is over; what is left of the piece is not part of it
        failed,   ///< error() says why
    };

    /// As much as Go reads of heads, interim ones included.
    static constexpr std::uint64_t max_head = 10 * 1024 * 1024;
    /// A longer line of a head is not looked at beyond this, and not shown to `on_header`.
    static constexpr std::size_t max_line = detail::HeadLines::max_line;
    /// length() of a body that is chunked or goes on to the end of the stream.
    static constexpr std::uint64_t unknown_length = detail::Framing::unknown_length;

    /// Goes on to the next event. What was read is taken off `input`. `on_header(name, value)` is
    /// called for each header, of interim responses too; status() is known then. Name and value are
    /// valid during the call only.
    template <class OnHeader>
    Event next(std::string_view& input, OnHeader&& on_header) {
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
        return Event::failed;
    }

    Event next(std::string_view& input) {
        return next(input, [](std::string_view, std::string_view) {});
    }

    /// The stream has ended or broken: what the response amounts to now. `complete` or `failed`.
    Event finish() {
        switch (state_) {
        case State::status_line:
        case State::headers: return finish_cut_head();
        case State::counted: return fail("unexpected EOF");
        case State::chunked: return fail(std::string{chunks_.cut_off(held_)});
        case State::until_end: state_ = State::complete; break;
        case State::complete:
        case State::failed: break;
        }
        return state_ == State::complete ? Event::complete : Event::failed;
    }

    /// Whether anything has come yet.
    [[nodiscard]] bool started() const noexcept { return started_; }

    /// Whether the head of a response is to come, and nothing of it has come yet.
    [[nodiscard]] bool between_heads() const noexcept {
        return state_ == State::status_line && held_.empty();
    }

    [[nodiscard]] int status() const noexcept { return status_; }

    /// Of the body, as far as it is announced and still to come. Valid from Event::head on.
    [[nodiscard]] std::uint64_t length() const noexcept {
        return state_ == State::counted ? left_ : state_ == State::complete ? 0 : unknown_length;
    }

    [[nodiscard]] std::string_view body() const noexcept { return body_; }

    /// In Go's words.
    [[nodiscard]] const std::string& error() const noexcept { return held_; }

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
    using Got = detail::HeadLines::Got;

    Event fail(std::string error) {
        held_ = std::move(error);
        state_ = State::failed;
        return Event::failed;
    }

    Event fail_head() {
        return fail("net/http: server response headers exceeded 10485760 bytes; aborted");
    }

    template <class OnHeader>
    Event read_head(std::string_view& input, OnHeader& on_header) {
        while (!input.empty()) {
            const std::size_t size = input.size();
            std::string_view name;
            std::string_view value;
            if (state_ == State::headers && lines_.plain_header(input, held_, name, value)) {
                head_read_ += size - input.size();
                if (head_read_ > max_head) return fail_head();
                framing_.see(name, value);
                on_header(name, value);
                continue;
            }
            std::string_view line;
            const Got got = state_ == State::status_line ? lines_.status_line(input, held_, line)
                            : lines_.plain_end(input, held_) ? Got::end
                                                             : lines_.header(input, held_, line);
            head_read_ += size - input.size();
            if (head_read_ > max_head) return fail_head();
            if (got == Got::failed) return fail(std::move(held_));
            if (got == Got::line) read_line(line, on_header);
            if (got == Got::end && finish_head()) return Event::head;
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
        } else if (const detail::HeaderField field = detail::split_header(line); !field.is_proper) {
            fail(detail::improper_header(line, field));
        } else if (field.is_plain) {
            framing_.see(field.name, field.value);
            if (!is_long) on_header(field.name, field.value);
        }
        if (state_ != State::failed) held_.clear();
    }

    void read_status(std::string_view line) {
        // In nearly all there is nothing to be searched for.
        constexpr std::string_view usual = "HTTP/1.1 ";
        constexpr std::size_t end = usual.size() + 3;
        if (line.size() > end && std::memcmp(line.data(), usual.data(), usual.size()) == 0 &&
            line[end] == ' ' &&
            begin_headers(11, detail::parse_status_code(line.substr(usual.size(), 3))))
            return;
        read_odd_status(line);
    }

    [[gnu::noinline]] void read_odd_status(std::string_view line) {
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

    /// False if one of them is none.
    bool begin_headers(int version, int status) noexcept {
        status_ = status;
        if (version < 0 || status < 0) return false;
        framing_ = {version != 0 && version < 11, status == 101}; // Go takes HTTP/0.0 for HTTP/1.1
        state_ = State::headers;
        return true;
    }

    /// The blank line has been read. True: this was the final head.
    bool finish_head() {
        if (!framing_.is_ordinary()) {
            if (std::string error = framing_.problem(); !error.empty()) {
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
            state_ = State::until_end; // another protocol's bytes, as far as Go cares
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

    /// Go takes what there is of a line for a whole one before it complains that the stream has
    /// ended.
    Event finish_cut_head() {
        // But not one that fills Go's buffer to the last byte: it looks for more of it, and forgets
        // what it has.
        constexpr std::size_t buffer_size = 4096;
        if (state_ == State::status_line && held_.size() % buffer_size == 0 &&
            !held_.ends_with('\r'))
            return fail("unexpected EOF");
        std::string_view line = held_;
        const Got got = state_ == State::headers ? lines_.last_header(held_, line)
                        : line.empty()           ? Got::more
                                                 : Got::line;
        if (got == Got::failed) return fail(std::move(held_));
        auto nobody = [](std::string_view, std::string_view) {};
        if (got == Got::line) read_line(line, nobody);
        return state_ == State::failed ? Event::failed : fail("unexpected EOF");
    }

    Event read_plain_body(std::string_view& input) {
        if (input.empty()) return Event::more;
        const bool is_counted = state_ == State::counted;
        body_ = input.substr(
            0, is_counted ? static_cast<std::size_t>(std::min<std::uint64_t>(left_, input.size()))
                          : input.size());
        input.remove_prefix(body_.size());
        if (is_counted) left_ -= body_.size();
        if (left_ == 0) state_ = State::complete;
        return Event::body;
    }

    Event read_chunked_body(std::string_view& input) {
        switch (chunks_.next(input, held_, body_)) {
        case detail::ChunkedBody::Got::more: return Event::more;
        case detail::ChunkedBody::Got::data: return Event::body;
        case detail::ChunkedBody::Got::complete: state_ = State::complete; return Event::complete;
        case detail::ChunkedBody::Got::failed: break;
        }
        return fail(std::move(held_));
    }

    std::string held_ = {}; ///< what came of a line that is not whole yet; at last the error
    std::string_view body_ = {};
    detail::Framing framing_ = {};
    detail::ChunkedBody chunks_ = {};
    std::uint64_t left_ = 0; ///< of a counted body
    std::uint64_t head_read_ = 0;
    int status_ = -1;
    State state_ = State::status_line;
    detail::HeadLines lines_ = {};
    bool started_ = false;
};

using ResponseParser = BasicResponseParser<>;

} // namespace probekit::inline PROBEKIT_ABI::http
