// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>

#include <probekit/core/detail/go_quoted.hpp>
#include <probekit/http/detail/characters.hpp>
#include <probekit/http/detail/framing.hpp>

namespace probekit::inline v0::http {

/// Reads one HTTP/1.x response as it comes in, in pieces of any size, with the rules and the words of Go's net/http.
/// Interim responses (1xx but 101) are passed over. Nothing is kept of headers but what frames the body; a header line
/// that lies whole in one piece is not even copied. All memory is bounded by `max_line`.
class ResponseParser {
public:
    enum class Event : std::uint8_t {
        more,     ///< the piece is used up
        head,     ///< status() and length() are known now
        body,     ///< body() is the next part of it, valid until the next call
        complete, ///< the response is over; what is left of the piece is not part of it
        failed,   ///< error() says why
    };

    /// As much as Go reads of heads, interim ones included.
    static constexpr std::uint64_t max_head = 10 * 1024 * 1024;
    /// A longer line of a head is not looked at beyond this, and not shown to `on_header`.
    static constexpr std::size_t max_line = 16 * 1024;
    /// As long as a line that announces a chunk, and as the trailer after the last one, may be.
    static constexpr std::size_t max_chunk_line = 4096;
    /// length() of a body that is chunked or goes on to the end of the stream.
    static constexpr std::uint64_t unknown_length = std::numeric_limits<std::uint64_t>::max();

    /// Goes on to the next event. What was read is taken off `input`. `on_header(name, value)` is called for each header,
    /// of interim responses too; status() is known then. Name and value are valid during the call only.
    template <class OnHeader>
    Event next(std::string_view& input, OnHeader&& on_header) {
        started_ = started_ || !input.empty();
        for (;;) {
            switch (state_) {
            case State::status_line:
                if (!read_status_line(input)) return waiting();
                break;
            case State::headers: {
                std::string_view line;
                if (!read_header_line(input, line)) return waiting();
                if (!line.empty()) {
                    read_header(line, on_header);
                } else if (finish_head()) {
                    return Event::head;
                }
                break;
            }
            case State::counted:
            case State::until_end:
            case State::chunk: return read_body(input);
            case State::chunk_line:
                if (!read_chunk_line(input)) return waiting();
                break;
            case State::chunk_end:
                if (!read_chunk_end(input)) return waiting();
                break;
            case State::trailer:
                if (!read_trailer(input)) return waiting();
                break;
            case State::complete: return Event::complete;
            case State::failed: return Event::failed;
            }
        }
    }

    Event next(std::string_view& input) {
        return next(input, [](std::string_view, std::string_view) {});
    }

    /// The stream has ended or broken: what the response amounts to now. `complete` or `failed`.
    Event finish() {
        switch (state_) {
        case State::status_line:
        case State::headers: finish_cut_head(); break;
        case State::until_end: state_ = State::complete; break;
        case State::counted:
        case State::chunk_line:
        case State::chunk:
        case State::chunk_end: fail("unexpected EOF"); break;
        case State::trailer:
            fail(held_.size() < 2 ? "http: unexpected EOF reading trailer"
                                  : "http: suspiciously long trailer after chunked body");
            break;
        case State::complete:
        case State::failed: break;
        }
        return state_ == State::complete ? Event::complete : Event::failed;
    }

    /// Whether anything has come yet.
    [[nodiscard]] bool started() const noexcept { return started_; }

    /// Whether the head of a response is being read, and nothing of it has come yet.
    [[nodiscard]] bool between_heads() const noexcept { return state_ == State::status_line && held_.empty(); }

    [[nodiscard]] int status() const noexcept { return status_; }

    /// Of the body, as announced. Valid from Event::head to the first Event::body.
    [[nodiscard]] std::uint64_t length() const noexcept { return state_ == State::counted ? left_ : body_length(); }

    [[nodiscard]] std::string_view body() const noexcept { return body_; }

    /// In Go's words.
    [[nodiscard]] const std::string& error() const noexcept { return held_; }

private:
    enum class State : std::uint8_t {
        status_line,
        headers,
        counted,
        until_end,
        chunk_line,
        chunk,
        chunk_end,
        trailer,
        complete,
        failed
    };
    /// Where a header stands that may go on in another line.
    enum class Fold : std::uint8_t { none, undecided, blanks, text };

    [[nodiscard]] std::uint64_t body_length() const noexcept { return state_ == State::complete ? 0 : unknown_length; }
    [[nodiscard]] Event waiting() const noexcept { return state_ == State::failed ? Event::failed : Event::more; }

    void fail(std::string error) {
        held_ = std::move(error);
        state_ = State::failed;
    }

    void hold(std::string_view part) {
        // Two more than a line may have: its end.
        held_.append(part.substr(0, max_line + 2 - std::min(held_.size(), max_line + 2)));
    }

    /// Takes the next line or a part of it off `input`, its end included.
    static std::string_view take_part(std::string_view& input) noexcept {
        const std::size_t size = std::min(input.find('\n'), input.size() - 1) + 1;
        const std::string_view part = input.substr(0, size);
        input.remove_prefix(size);
        return part;
    }

    [[nodiscard]] bool head_is_too_long(std::size_t more) {
        head_read_ += more;
        if (head_read_ <= max_head) return false;
        fail("net/http: server response headers exceeded 10485760 bytes; aborted");
        return true;
    }

    bool read_status_line(std::string_view& input) {
        if (input.empty()) return false;
        const std::string_view part = take_part(input);
        if (head_is_too_long(part.size())) return false;
        const bool whole = part.ends_with('\n');
        if (whole && held_.empty()) {
            read_status(detail::without_line_end(part).substr(0, max_line));
            return true;
        }
        hold(part);
        if (whole) read_held_status();
        return whole;
    }

    void read_held_status() {
        const std::string line = std::exchange(held_, {});
        read_status(detail::without_line_end(line).substr(0, max_line));
    }

    void read_status(std::string_view line) {
        const std::size_t blank = line.find(' ');
        if (blank == std::string_view::npos) return fail("malformed HTTP response " + detail::go_quoted(line));
        const std::string_view version = line.substr(0, blank);
        line.remove_prefix(std::min(line.find_first_not_of(' ', blank), line.size()));
        const std::string_view code = line.substr(0, line.find(' '));
        status_ = detail::parse_status_code(code);
        if (status_ < 0) return fail("malformed HTTP status code " + detail::go_quoted(code));
        const int number = detail::parse_http_version(version);
        if (number < 0) return fail("malformed HTTP version " + detail::go_quoted(version));
        framing_ = {};
        framing_.ignores_transfer_encoding = number != 0 && number < 11; // Go takes HTTP/0.0 for HTTP/1.1
        first_header_ = true;
        state_ = State::headers;
    }

    /// Gathers the lines of one header. True: `line` is all of it, or empty at the end of the head.
    bool read_header_line(std::string_view& input, std::string_view& line) {
        while (!input.empty()) {
            if (fold_ == Fold::undecided) {
                if (!detail::is_blank(input.front())) {
                    fold_ = Fold::none;
                    line = held_;
                    return true;
                }
                fold_ = Fold::blanks;
                hold(" ");
            }
            if (fold_ == Fold::blanks) {
                const std::size_t blanks = std::min(input.find_first_not_of(" \t"), input.size());
                if (head_is_too_long(blanks)) return false;
                input.remove_prefix(blanks);
                if (input.empty()) return false;
                fold_ = Fold::text;
            }
            const std::string_view part = take_part(input);
            if (head_is_too_long(part.size())) return false;
            const bool whole = part.ends_with('\n');
            if (!whole || !held_.empty()) hold(part);
            if (!whole) return false;
            std::string_view text = detail::without_line_end(held_.empty() ? part : std::string_view{held_});
            text = text.substr(0, max_line + 2);
            if (fold_ == Fold::none && !check_first_line(text)) return false;
            if (text.empty()) {
                held_.clear();
                return true;
            }
            const bool in_place = held_.empty() && !input.empty() && !detail::is_blank(input.front());
            if (in_place) {
                line = detail::trim_right(text);
                return true;
            }
            if (held_.empty()) hold(text);
            held_.resize(std::min(detail::trim_right(detail::without_line_end(held_)).size(), held_.size()));
            fold_ = Fold::undecided;
        }
        return false;
    }

    /// What must be so of the first line of a header, whatever follows.
    bool check_first_line(std::string_view line) {
        const bool indented = first_header_ && !line.empty() && detail::is_blank(line.front());
        first_header_ = false;
        if (indented) {
            constexpr std::size_t longest_shown = 80;
            fail(line.size() > longest_shown ? "message too large"
                                             : "malformed MIME header initial line: " + detail::go_quoted(line));
        } else if (!line.empty() && line.substr(0, max_line).find(':') == std::string_view::npos) {
            fail("malformed MIME header: missing colon: " + detail::go_quoted(line.substr(0, max_line)));
        }
        return state_ != State::failed;
    }

    template <class OnHeader>
    void read_header(std::string_view line, OnHeader& on_header) {
        const bool is_long = line.size() > max_line;
        line = line.substr(0, max_line);
        const std::size_t colon = line.find(':');
        const std::string_view name = line.substr(0, colon);
        const std::string_view value = line.substr(colon + 1);
        bool proper = !name.empty();
        bool has_blank = false;
        for (const char c : name) {
            proper = proper && (detail::is_token_byte(c) || c == ' ');
            has_blank = has_blank || c == ' ';
        }
        if (!proper || detail::has_control(value, true))
            return fail("malformed MIME header line: " + detail::go_quoted(line));
        // A name with a blank in it is let pass, but means nothing.
        if (!has_blank) {
            framing_.see(name, detail::trim_left(value));
            if (!is_long) on_header(name, detail::trim_left(value));
        }
        held_.clear();
    }

    /// The blank line has been read. True: this was the final head.
    bool finish_head() {
        std::string error = framing_.problem();
        if (!error.empty()) {
            fail(std::move(error));
            return false;
        }
        const bool interim = status_ >= 100 && status_ <= 199;
        if (interim && status_ != 101) {
            state_ = State::status_line;
            return false;
        }
        const bool bodiless = interim || status_ == 204 || status_ == 304;
        left_ = unknown_length;
        if (status_ == 101 && framing_.switches_protocol()) {
            state_ = State::until_end; // another protocol's bytes, as far as Go cares
        } else if (bodiless || (framing_.length() == 0 && !framing_.is_chunked())) {
            state_ = State::complete;
        } else if (framing_.is_chunked()) {
            state_ = State::chunk_line;
        } else if (framing_.length() != unknown_length) {
            left_ = framing_.length();
            state_ = State::counted;
        } else {
            state_ = State::until_end;
        }
        return true;
    }

    /// The stream ended inside a head: Go takes what there is of a line for a whole one before it complains of the end.
    void finish_cut_head() {
        if (state_ == State::status_line && !held_.empty()) {
            read_held_status();
        } else if (state_ == State::headers && !held_.empty()) {
            if (fold_ == Fold::none && !check_first_line(held_)) return;
            const std::string line = std::exchange(held_, {});
            const auto nobody = [](std::string_view, std::string_view) {};
            read_header(detail::trim_right(line), nobody);
        }
        if (state_ != State::failed) fail("unexpected EOF");
    }

    Event read_body(std::string_view& input) {
        if (input.empty()) return Event::more;
        body_ = input.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(left_, input.size())));
        input.remove_prefix(body_.size());
        if (state_ != State::until_end) left_ -= body_.size();
        if (left_ == 0) state_ = state_ == State::chunk ? State::chunk_end : State::complete;
        return Event::body;
    }

    bool read_chunk_line(std::string_view& input) {
        if (input.empty()) return false;
        const std::string_view part = take_part(input);
        hold(part);
        const bool whole = part.ends_with('\n');
        if (held_.size() > max_chunk_line || (!whole && held_.size() == max_chunk_line)) {
            fail("header line too long");
            return false;
        }
        if (!whole) return false;
        const std::size_t cr = held_.find('\r');
        if (cr == std::string::npos) {
            fail("chunked line ends with bare LF");
        } else if (cr + 2 != held_.size()) {
            fail("invalid CR in chunked line");
        } else {
            begin_chunk();
        }
        return state_ != State::failed;
    }

    void begin_chunk() {
        const std::string_view line = std::string_view{held_}.substr(0, held_.size() - 2);
        const detail::ChunkSize size = detail::parse_chunk_size(line);
        if (!size.error.empty()) return fail(std::string{size.error});
        // A sender may need more bytes for its chunks than it has data in them, but not without end.
        overhead_ += line.size() + 2;
        const std::uint64_t allowed = 16 + 2 * std::min<std::uint64_t>(size.value, max_head);
        overhead_ -= std::min(overhead_, allowed);
        held_.clear();
        if (size.value == 0) {
            state_ = State::trailer;
        } else if (overhead_ > 16 * 1024) {
            fail("chunked encoding contains too much non-data");
        } else {
            left_ = size.value;
            state_ = State::chunk;
        }
    }

    bool read_chunk_end(std::string_view& input) {
        const std::string_view part = input.substr(0, 2 - held_.size());
        hold(part);
        input.remove_prefix(part.size());
        if (held_.size() < 2) return false;
        if (held_ != "\r\n") {
            fail("malformed chunked encoding");
            return false;
        }
        held_.clear();
        state_ = State::chunk_line;
        return true;
    }

    bool read_trailer(std::string_view& input) {
        while (!input.empty() && held_.size() < max_chunk_line) {
            held_ += input.front();
            input.remove_prefix(1);
            if (held_ == "\r\n") {
                state_ = State::complete;
                return true;
            }
            if (held_.ends_with("\r\n\r\n")) {
                check_trailer(std::exchange(held_, {}));
                return true;
            }
        }
        if (held_.size() < max_chunk_line) return false;
        fail("http: suspiciously long trailer after chunked body");
        return false;
    }

    void check_trailer(const std::string& trailer) {
        std::string_view rest = trailer;
        std::string_view line;
        const auto nobody = [](std::string_view, std::string_view) {};
        first_header_ = true;
        while (read_header_line(rest, line) && !line.empty()) {
            read_header(line, nobody);
            if (state_ == State::failed) return;
            line = {};
        }
        if (state_ != State::failed) state_ = State::complete;
    }

    std::string held_ = {}; ///< what came of a line that is not whole yet; at last the error
    std::string_view body_ = {};
    detail::Framing framing_ = {};
    std::uint64_t left_ = unknown_length; ///< of the body or the chunk
    std::uint64_t head_read_ = 0;
    std::uint64_t overhead_ = 0; ///< of chunk lines over the data they announce
    int status_ = -1;
    State state_ = State::status_line;
    Fold fold_ = Fold::none;
    bool first_header_ = true;
    bool started_ = false;
};

} // namespace probekit::inline v0::http
