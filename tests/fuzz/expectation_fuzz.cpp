// Expectations of what a server sends, however long it is: regular expressions compared with a
// naive search over their own syntax tree, `contains` with a search at every place, JSON with a walk
// over the document. None takes more steps than it may, and every mismatch has a text of bounded
// length. libFuzzer's -timeout is the bound of time.
#include <algorithm>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include <probekit/core/http_expectation.hpp>
#include <probekit/http/expectation.hpp>
#include <probekit/http/regex.hpp>
#include <probekit/kubernetes/json_expectation.hpp>

#include "bytes.hpp"
#include "expect.hpp"

namespace {

using namespace probekit;

// ---- what is true of every expectation ----

/// Whether it holds for the body.
bool holds(const http::Expectation& expectation, std::string_view body) {
    const http::Expectation opposite = !expectation;
    const auto mismatch = [&](const http::Expectation& one) {
        return http::first_mismatch(
            std::span{&one, 1},
            {.status = 200, .body = body, .is_whole = body.size() <= http::max_body});
    };
    const std::string why = mismatch(expectation);
    const std::string why_not = mismatch(opposite);
    constexpr std::size_t longest = 2000; // but for the expectation, which is the user's
    const std::size_t settings =
        10 * (expectation.match.text.size() + expectation.match.value.size());
    fuzz::expect(std::max(why.size(), why_not.size()) <= longest + settings,
                 "a mismatch is told in few words");
    constexpr std::string_view gave_up = ", gave up after ";
    if (why.find(gave_up) == std::string::npos)
        fuzz::expect(why.empty() != why_not.empty(), "an expectation holds, or its opposite");
    return why.empty();
}

/// Searches with as many steps as a search takes, and with fewer.
bool holds_within(const http::TextMatch& match, std::string_view text) {
    std::size_t left = http::max_steps;
    const bool found = match.matcher->matches_within(text, left);
    fuzz::expect(left <= http::max_steps, "steps are spent, not made");
    const std::size_t taken = http::max_steps - left;
    if (left == 0) return false;
    left = taken + 1;
    fuzz::expect(match.matcher->matches_within(text, left) == found && left == 1,
                 "as many steps as are needed suffice");
    if (taken == 0) return found;
    left = taken;
    fuzz::expect(!match.matcher->matches_within(text, left) && left == 0,
                 "one step less does not suffice");
    return found;
}

std::string repeated(std::string_view part, std::size_t size) {
    std::string text;
    if (part.empty()) return text;
    text.reserve(size + part.size());
    while (text.size() < size) text += part;
    text.resize(size);
    return text;
}

// ---- regular expressions ----

/// A pattern as a tree, from which its text is written and in which a text is searched for.
class Pattern {
public:
    /// Places in a text of fewer than 64 characters, as bits.
    using Places = std::uint64_t;

    Pattern(fuzz::Bytes& input, int depth) : kind_(kind_of(input.byte(), depth)) {
        switch (kind_) {
        case Kind::byte: byte_ = "abAB01_. -\n\xe9"[input.below(12)]; break;
        case Kind::set:
            negated_ = input.flag();
            for (unsigned count = 1 + input.below(3); count != 0; --count)
                set_ += "abcAB01_-]"[input.below(10)];
            break;
        case Kind::named: byte_ = "dDwWsS"[input.below(6)]; break;
        case Kind::place: byte_ = "^$bB"[input.below(4)]; break;
        case Kind::dot: break;
        case Kind::sequence:
        case Kind::alternatives:
            for (unsigned count = input.below(4); count != 0; --count)
                parts_.emplace_back(input, depth - 1);
            break;
        case Kind::repeated:
            least_ = input.below(4);
            most_ = input.flag() ? least_ + input.below(3) : unlimited;
            parts_.emplace_back(input, depth - 1);
            break;
        }
    }

    [[nodiscard]] std::string text() const {
        switch (kind_) {
        case Kind::byte: return byte_ == '.' ? "\\." : byte_ == '\n' ? "\\n" : quoted(byte_);
        case Kind::set: {
            std::string text = negated_ ? "[^" : "[";
            for (const char one : set_) text.append(one == '-' || one == ']' ? "\\" : "") += one;
            return text + "]";
        }
        case Kind::named: return std::string{"\\"} + byte_;
        case Kind::place:
            return byte_ == '^' || byte_ == '$' ? std::string{byte_} : std::string{"\\"} + byte_;
        case Kind::dot: return ".";
        case Kind::sequence: {
            std::string text;
            for (const Pattern& part : parts_) text += "(" + part.text() + ")";
            return text;
        }
        case Kind::alternatives: {
            std::string text;
            for (const Pattern& part : parts_)
                text.append(&part == &parts_.front() ? "" : "|").append("(?:" + part.text() + ")");
            return "(" + text + ")";
        }
        case Kind::repeated: break;
        }
        return "(" + parts_.front().text() + "){" + std::to_string(least_) +
               (most_ == unlimited ? ",}" : "," + std::to_string(most_) + "}");
    }

    /// Where matches may end that begin at one of these places.
    [[nodiscard]] Places ends(std::string_view text, Places begins) const {
        switch (kind_) {
        case Kind::byte:
        case Kind::set:
        case Kind::named:
        case Kind::dot: {
            Places result = 0;
            for (std::size_t at = 0; at != text.size(); ++at)
                if ((begins >> at & 1) != 0 && takes(text[at])) result |= Places{1} << (at + 1);
            return result;
        }
        case Kind::place: {
            Places result = 0;
            for (std::size_t at = 0; at <= text.size(); ++at)
                if ((begins >> at & 1) != 0 && is_here(text, at)) result |= Places{1} << at;
            return result;
        }
        case Kind::sequence:
            for (const Pattern& part : parts_) begins = part.ends(text, begins);
            return begins;
        case Kind::alternatives: {
            Places result = parts_.empty() ? begins : 0;
            for (const Pattern& part : parts_) result |= part.ends(text, begins);
            return result;
        }
        case Kind::repeated: break;
        }
        for (unsigned i = 0; i != least_; ++i) begins = parts_.front().ends(text, begins);
        Places result = begins;
        const unsigned further = most_ == unlimited ? 64 : most_ - least_;
        for (unsigned i = 0; i != further; ++i) {
            begins = parts_.front().ends(text, begins);
            if ((begins & ~result) == 0) break; // and so will be all that follows
            result |= begins;
        }
        return result;
    }

private:
    enum class Kind : std::uint8_t {
        byte,
        set,
        named,
        place,
        dot,
        sequence,
        alternatives,
        repeated
    };
    static constexpr unsigned unlimited = ~0U;

    static Kind kind_of(unsigned byte, int depth) {
        return static_cast<Kind>(byte % (depth <= 0 ? 5 : 8));
    }

    static std::string quoted(char byte) {
        return static_cast<unsigned char>(byte) >= 0x80 ? "\\xe9" : std::string{byte};
    }

    static bool is_word(char byte) {
        const auto code = static_cast<unsigned char>(byte);
        return code < 0x80 && (std::isalnum(code) != 0 || code == '_');
    }

    [[nodiscard]] bool takes(char byte) const {
        const auto code = static_cast<unsigned char>(byte);
        switch (kind_) {
        case Kind::byte: return byte == byte_;
        case Kind::set: return (set_.find(byte) != std::string::npos) != negated_;
        case Kind::dot: return byte != '\n' && byte != '\r';
        default: break;
        }
        const bool is_in = byte_ == 'd' || byte_ == 'D' ? byte >= '0' && byte <= '9'
                           : byte_ == 'w' || byte_ == 'W'
                               ? is_word(byte)
                               : byte == ' ' || (code >= '\t' && code <= '\r');
        return is_in == (byte_ == 'd' || byte_ == 'w' || byte_ == 's');
    }

    [[nodiscard]] bool is_here(std::string_view text, std::size_t at) const {
        if (byte_ == '^') return at == 0;
        if (byte_ == '$') return at == text.size();
        const bool before = at != 0 && is_word(text[at - 1]);
        const bool behind = at != text.size() && is_word(text[at]);
        return (before != behind) == (byte_ == 'b');
    }

    Kind kind_;
    char byte_ = 0;
    bool negated_ = false;
    std::string set_ = {};
    unsigned least_ = 0;
    unsigned most_ = 0;
    std::vector<Pattern> parts_ = {};
};

/// A pattern that is made of the input, and a text of the rest.
void compare_regex(fuzz::Bytes input) {
    const Pattern pattern{input, 3};
    const std::string_view text = input.rest().substr(0, 63);
    const std::string written = pattern.text();
    const http::TextMatch match = http::regex(written);
    fuzz::expect(match.matcher != nullptr, "a small pattern is valid");
    const bool found = pattern.ends(text, ~Pattern::Places{0} >> (63 - text.size())) != 0;
    fuzz::expect(match.matcher->matches(text) == found, "a pattern matches what it says");
    fuzz::expect(holds_within(match, text) == found, "and in few steps");
    fuzz::expect(holds(http::body().satisfies(match), text) == found, "and as an expectation");
}

/// Any pattern and any text, which may be long.
void search_regex(std::string_view pattern, std::string_view text) {
    const http::TextMatch match = http::regex(std::string{pattern});
    const http::Expectation expectation = http::body(http::whole_body).satisfies(match);
    fuzz::expect(http::validate(std::span{&expectation, 1}).empty() == (match.matcher != nullptr),
                 "a pattern that cannot be used is reported");
    if (!match.matcher) return;
    holds(expectation, text);
    if (text.size() <= 65'536) holds_within(match, text);
}

// ---- contains and equals ----

void compare_contains(std::string_view needle, std::string_view text) {
    const auto place = std::search(text.begin(), text.end(), needle.begin(), needle.end());
    const bool found = place != text.end() || needle.empty();
    fuzz::expect(holds(http::body(http::whole_body).contains(std::string{needle}), text) == found,
                 "`contains` finds what is there");
    fuzz::expect(holds(http::body(http::whole_body).equals(std::string{needle}), text) ==
                     (needle == text),
                 "`equals` compares");
    fuzz::expect(holds(http::body(needle.size() + 1).equals(std::string{needle}), text) ==
                     (needle == text.substr(0, needle.size() + 1)),
                 "a part of a body is compared as that part");
}

// ---- JSON ----

using Json = nlohmann::json;

/// The levels of a document, by recursion; those of the inputs here are few.
int levels_of(const Json& value) {
    int levels = 0;
    if (value.is_structured())
        for (const Json& item : value) levels = std::max(levels, levels_of(item));
    return value.is_structured() ? levels + 1 : 0;
}

/// Walks from value to value as the input says, and writes the way as a JSON pointer.
const Json& walk(const Json& document, fuzz::Bytes& input, std::string& pointer) {
    const Json* value = &document;
    for (unsigned steps = input.below(5); steps != 0 && !value->empty(); --steps) {
        if (!value->is_structured()) break;
        auto item = value->begin();
        std::advance(item,
                     input.below(static_cast<unsigned>(std::min<std::size_t>(value->size(), 200))));
        pointer += '/';
        if (value->is_array()) {
            pointer += std::to_string(item - value->begin());
        } else {
            for (const char byte : item.key())
                pointer += byte == '~' ? "~0" : byte == '/' ? "~1" : std::string{byte};
        }
        value = &*item;
    }
    return *value;
}

void compare_json(fuzz::Bytes input, std::string_view text) {
    constexpr std::size_t deepest = 2000; // for the recursion of the parser's own destructor
    if (static_cast<std::size_t>(std::ranges::count(text, '[') + std::ranges::count(text, '{')) >
        deepest)
        return;
    const Json document = Json::parse(text, nullptr, false);
    std::string pointer;
    const bool is_json = !document.is_discarded();
    const Json nothing = nullptr;
    const Json& there = is_json ? walk(document, input, pointer) : nothing;
    const bool found = is_json && levels_of(document) <= detail::max_json_depth;
    const http::TextMatch right = kubernetes::json_at(pointer, there);
    const http::TextMatch wrong = kubernetes::json_at(pointer, Json{{"not", "there"}, {"k", 0.5}});
    const http::TextMatch nowhere = kubernetes::json_at(pointer + "/~1no such key", there);
    fuzz::expect(right.matcher && wrong.matcher && nowhere.matcher, "these are JSON pointers");
    holds_within(right, text);
    fuzz::expect(holds(http::body(http::whole_body).satisfies(right), text) == found,
                 "a value is found where it is");
    fuzz::expect(!holds(http::body(http::whole_body).satisfies(wrong), text) ||
                     there == Json{{"not", "there"}, {"k", 0.5}},
                 "another value is not found there");
    fuzz::expect(!holds(http::body(http::whole_body).satisfies(nowhere), text),
                 "nothing is found where nothing is");
}

} // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::Bytes input{data, size};
    const unsigned mode = input.byte();
    if (mode % 4 == 0) {
        compare_regex(input);
        return 0;
    }
    // Up to 128 KiB, which uses up the steps of large patterns; mostly less, as that takes time.
    const unsigned bits = mode / 4;
    const std::size_t length = std::size_t{1} << (bits < 56 ? bits % 12 : bits - 46);
    if (mode % 4 == 3) {
        fuzz::Bytes way = input;
        for (int i = 0; i != 5; ++i) input.byte();
        const std::string_view part = input.rest();
        compare_json(way, part);
        // Long: an array of what may be values.
        const std::string item = std::string{part.substr(0, 64)} + ",";
        compare_json(way, "[" + repeated(item, length) + "0]");
        return 0;
    }
    const std::string_view rest = input.rest();
    const std::string_view sought = rest.substr(0, rest.find('\xff'));
    const std::string_view part = rest.substr(std::min(sought.size() + 1, rest.size()));
    const std::string text = length < part.size() ? std::string{part} : repeated(part, length);
    if (mode % 4 == 1)
        search_regex(sought, text);
    else if (sought.size() * text.size() <= 1'000'000)
        compare_contains(sought, text);
    else
        holds(http::body(http::whole_body).contains(std::string{sought}), text);
    return 0;
}
