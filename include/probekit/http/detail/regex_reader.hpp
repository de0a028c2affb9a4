// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <bitset>
#include <cctype>
#include <cstddef>
#include <iterator>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include <probekit/config.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// A pattern with as many positions as this, or more, is not valid.
inline constexpr std::size_t max_regex_positions = 1024;

using RegexPositions = std::bitset<max_regex_positions>;
using ByteSet = std::bitset<256>;

/// What a place between two characters (or before the first, or behind the last) is: bits.
enum RegexPlace : std::size_t { inner_place = 0, at_begin = 1, at_end = 2, at_word_edge = 4 };
inline constexpr std::size_t regex_places = 8;

/// A part of a pattern, at a place of a certain kind.
struct RegexPart {
    RegexPositions first =
        {}; ///< may match the character behind the place, if the part begins there
    RegexPositions last = {}; ///< the part may end there, if they matched the character before
    bool empty = false;       ///< it matches the empty text there
};

/// Reads a pattern. What follows what is found for one kind of place: there ^, $, \b and \B either
/// hold, and count as empty, or match nothing.
class RegexReader {
public:
    RegexReader(std::string_view pattern, std::size_t place) : pattern_(pattern), place_(place) {
        whole = read_alternatives(0);
        if (!at_pattern_end()) bad = true; // a ')' without its '('
    }

    RegexPart whole = {};
    std::vector<ByteSet> classes = {};        ///< by position: what it matches
    std::vector<RegexPositions> follows = {}; ///< by position: what may match the next character
    bool has_places = false;                  ///< it has ^, $, \b or \B
    bool bad = false;                         ///< the pattern is not valid

private:
    static constexpr std::size_t max_depth = 50;
    static constexpr std::size_t max_atoms = 4 * max_regex_positions; // repeated ones each time
    static constexpr std::size_t unlimited = std::string_view::npos;

    struct Count {
        std::size_t least = 1;
        std::size_t most = 1;
    };

    [[nodiscard]] bool at_pattern_end() const noexcept { return next_ == pattern_.size(); }
    [[nodiscard]] char peek(std::size_t ahead = 0) const noexcept {
        return next_ + ahead < pattern_.size() ? pattern_[next_ + ahead] : '\0';
    }
    bool take(std::string_view text) noexcept {
        if (!pattern_.substr(next_).starts_with(text)) return false;
        next_ += text.size();
        return true;
    }
    char take_any() noexcept { return pattern_[next_++]; }

    // ---- parts of parts ----

    RegexPart one_of(const ByteSet& bytes) {
        RegexPart part;
        if (classes.size() + 1 == max_regex_positions) {
            bad = true;
            return part;
        }
        part.first.set(classes.size());
        part.last = part.first;
        classes.push_back(bytes);
        follows.emplace_back();
        return part;
    }

    RegexPart text(std::string_view bytes) {
        RegexPart part{.empty = true};
        for (const char byte : bytes) part = then(part, one_of(set_of(byte)));
        return part;
    }

    void connect(const RegexPositions& from, const RegexPositions& to) {
        for (std::size_t i = 0; i != follows.size(); ++i)
            if (from[i]) follows[i] |= to;
    }

    RegexPart then(const RegexPart& left, const RegexPart& right) {
        connect(left.last, right.first);
        return {.first = left.empty ? left.first | right.first : left.first,
                .last = right.empty ? left.last | right.last : right.last,
                .empty = left.empty && right.empty};
    }

    // ---- the grammar ----

    RegexPart read_alternatives(std::size_t depth) {
        RegexPart part = read_sequence(depth);
        while (!bad && take("|")) {
            const RegexPart other = read_sequence(depth);
            part.first |= other.first;
            part.last |= other.last;
            part.empty |= other.empty;
        }
        return part;
    }

    RegexPart read_sequence(std::size_t depth) {
        RegexPart part{.empty = true};
        while (!bad && !at_pattern_end() && peek() != '|' && peek() != ')')
            part = then(part, read_repeated(depth));
        return part;
    }

    RegexPart read_repeated(std::size_t depth) {
        const std::size_t begin = next_;
        std::vector<RegexPart> copies{read_atom(depth)};
        const bool may_repeat = !std::exchange(is_place_, false);
        const std::optional<Count> count = read_count();
        if (!count || bad) return copies.front();
        take("?"); // whether as much or as little as possible makes no difference here
        if (!may_repeat || read_count()) bad = true;

        const std::size_t behind = next_;
        const bool loops = count->most == unlimited;
        const std::size_t copies_needed =
            loops ? std::max<std::size_t>(count->least, 1) : count->most;
        while (!bad && copies.size() < copies_needed) {
            next_ = begin;
            copies.push_back(read_atom(depth));
            is_place_ = false;
        }
        next_ = behind;
        // From the last copy to the first: each that need not be there is so with all behind it.
        RegexPart part{.empty = true};
        for (std::size_t i = copies_needed; i-- != 0 && !bad;) {
            if (loops && i + 1 == copies_needed) connect(copies[i].last, copies[i].first);
            part = then(copies[i], part);
            part.empty |= i >= count->least;
        }
        return part;
    }

    /// "*", "+", "?", "{2}", "{2,}" or "{2,5}", if one is there. Any other brace is a character.
    std::optional<Count> read_count() {
        if (take("*")) return Count{0, unlimited};
        if (take("+")) return Count{1, unlimited};
        if (take("?")) return Count{0, 1};
        const std::size_t begin = next_;
        if (!take("{")) return std::nullopt;
        Count count;
        bool good = read_number(count.least);
        count.most = count.least;
        if (good && take(",")) {
            count.most = unlimited;
            if (peek() != '}') good = read_number(count.most);
        }
        if (!good || !take("}")) {
            next_ = begin;
            return std::nullopt;
        }
        const auto too_many = [](std::size_t number) { return number > max_regex_positions; };
        if (too_many(count.least) || (count.most != unlimited && too_many(count.most)) ||
            count.most < count.least)
            bad = true;
        return count;
    }

    /// A number too large for a pattern stays so.
    bool read_number(std::size_t& number) {
        const std::size_t begin = next_;
        for (number = 0; is_digit(peek()); ++next_)
            number = std::min(number * 10 + static_cast<std::size_t>(peek() - '0'),
                              max_regex_positions + 1);
        return next_ != begin;
    }

    RegexPart read_atom(std::size_t depth) {
        if (depth > max_depth || ++atoms_ > max_atoms) bad = true;
        if (bad) return {};
        if (read_count()) { // nothing to repeat
            bad = true;
            return {};
        }
        const std::size_t begin = next_;
        switch (take_any()) {
        case '(': {
            if (peek() == '?' && !take("?:")) bad = true; // what looks ahead is no such automaton
            const RegexPart part = read_alternatives(depth + 1);
            if (!take(")")) bad = true;
            return part;
        }
        case '[': return one_of(read_class());
        case '.': return one_of(~(set_of('\n') | set_of('\r')));
        case '^': return place((place_ & at_begin) != 0);
        case '$': return place((place_ & at_end) != 0);
        case '\\': return read_escape();
        default: break;
        }
        // A character of several bytes is repeated as a whole.
        while (is_utf8_tail(peek()) && !at_pattern_end()) ++next_;
        return text(pattern_.substr(begin, next_ - begin));
    }

    RegexPart place(bool holds) {
        has_places = is_place_ = true;
        return {.empty = holds};
    }

    RegexPart read_escape() {
        if (take("b")) return place((place_ & at_word_edge) != 0);
        if (take("B")) return place((place_ & at_word_edge) == 0);
        if (const auto set = read_named_set()) return one_of(*set);
        return one_of(set_of(read_escaped_byte()));
    }

    /// Behind a backslash: \d, \w, \s and what they are not.
    std::optional<ByteSet> read_named_set() {
        const char name = peek();
        const char lower = static_cast<char>(name | 0x20);
        if (lower != 'd' && lower != 'w' && lower != 's') return std::nullopt;
        ++next_;
        ByteSet set = *set_named(lower == 'd' ? "digit" : lower == 's' ? "space" : "alnum");
        if (lower == 'w') set |= set_of('_');
        return name == lower ? set : ~set;
    }

    /// Behind a backslash: one byte. Letters and digits that mean nothing are mistakes, back
    /// references too.
    char read_escaped_byte() {
        if (at_pattern_end()) {
            bad = true;
            return '\0';
        }
        const char escaped = take_any();
        switch (escaped) {
        case 't': return '\t';
        case 'n': return '\n';
        case 'v': return '\v';
        case 'f': return '\f';
        case 'r': return '\r';
        case 'x': return static_cast<char>(read_hex(2));
        case 'u': // other characters than those of ASCII stand for themselves
            if (const unsigned code = read_hex(4); code < 0x80) return static_cast<char>(code);
            break;
        case 'c':
            if (at_pattern_end() || !is_alpha(peek())) break;
            return static_cast<char>(take_any() & 0x1f);
        case '0':
            if (is_digit(peek())) break;
            return '\0';
        default:
            if (!is_alpha(escaped) && !is_digit(escaped)) return escaped;
        }
        bad = true;
        return '\0';
    }

    unsigned read_hex(std::size_t digits) {
        unsigned value = 0;
        for (; digits != 0; --digits) {
            const auto digit = static_cast<unsigned char>(peek());
            if (digit >= 0x80 || std::isxdigit(digit) == 0) {
                bad = true;
                return 0;
            }
            ++next_;
            value = value * 16 + static_cast<unsigned>(is_digit(static_cast<char>(digit))
                                                           ? digit - '0'
                                                           : (digit | 0x20) - 'a' + 10);
        }
        return value;
    }

    /// Behind a '[', to its ']'.
    ByteSet read_class() {
        const bool negated = take("^");
        ByteSet set;
        while (!bad && !take("]")) {
            if (at_pattern_end()) {
                bad = true;
                break;
            }
            const std::size_t begin = next_;
            if (const auto named = read_set_in_class()) {
                set |= *named;
                continue;
            }
            next_ = begin;
            const char from = read_byte_in_class();
            char to = from;
            if (peek() == '-' && peek(1) != ']' && take("-")) to = read_byte_in_class();
            if (static_cast<unsigned char>(to) < static_cast<unsigned char>(from)) bad = true;
            for (int byte = static_cast<unsigned char>(from);
                 byte <= static_cast<unsigned char>(to); ++byte)
                set.set(static_cast<std::size_t>(byte));
        }
        return negated ? ~set : set;
    }

    /// "[:digit:]" or "\d", within a class.
    std::optional<ByteSet> read_set_in_class() {
        if (take("\\")) return read_named_set();
        if (!take("[:")) return std::nullopt;
        const std::size_t end = pattern_.find(":]", next_);
        if (end == std::string_view::npos) return std::nullopt;
        const auto set = set_named(pattern_.substr(next_, end - next_));
        if (!set) bad = true;
        next_ = end + 2;
        return set ? set : ByteSet{};
    }

    /// A character of several bytes would be taken for each of them, so it is a mistake.
    char read_byte_in_class() {
        if (at_pattern_end()) {
            bad = true;
            return '\0';
        }
        const char byte = take_any();
        if (byte == '\\') return take("b") ? '\b' : read_escaped_byte();
        if (static_cast<unsigned char>(byte) >= 0x80) bad = true;
        return byte;
    }

    // ---- bytes ----

    static bool is_digit(char byte) noexcept { return byte >= '0' && byte <= '9'; }
    static bool is_alpha(char byte) noexcept {
        const int lower = byte | 0x20;
        return lower >= 'a' && lower <= 'z';
    }
    static bool is_utf8_tail(char byte) noexcept {
        return (static_cast<unsigned char>(byte) & 0xc0U) == 0x80U;
    }
    static ByteSet set_of(char byte) noexcept {
        return ByteSet{}.set(static_cast<unsigned char>(byte));
    }

    /// Of ASCII, whatever the locale.
    static std::optional<ByteSet> set_named(std::string_view name) {
        struct Named {
            std::string_view name;
            int (*has)(int);
        };
        static constexpr Named sets[] = {
            {"alnum", std::isalnum}, {"alpha", std::isalpha}, {"blank", std::isblank},
            {"cntrl", std::iscntrl}, {"digit", std::isdigit}, {"graph", std::isgraph},
            {"lower", std::islower}, {"print", std::isprint}, {"punct", std::ispunct},
            {"space", std::isspace}, {"upper", std::isupper}, {"xdigit", std::isxdigit}};
        const auto* const found = std::ranges::find(sets, name, &Named::name);
        if (found == std::end(sets)) return std::nullopt;
        ByteSet set;
        for (int byte = 0; byte != 0x80; ++byte)
            if (found->has(byte) != 0) set.set(static_cast<std::size_t>(byte));
        return set;
    }

    std::string_view pattern_;
    std::size_t place_;
    std::size_t next_ = 0;
    std::size_t atoms_ = 0;
    bool is_place_ = false; // the last atom is ^, $, \b or \B, which cannot be repeated
};

} // namespace probekit::inline PROBEKIT_ABI::detail
