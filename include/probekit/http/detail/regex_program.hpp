// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include <probekit/config.hpp>
#include <probekit/http/detail/regex_reader.hpp>

// Regular expressions in time linear in the text, by Glushkov's automaton. Its states are the
// positions of the pattern: its characters, each once for every time that it is repeated. There are
// no empty moves and there is no backtracking. All positions that could have matched the character
// before are kept as bits, and a match may begin before any character, so that one pass over the
// text tells whether a part of it matches.
namespace probekit::inline PROBEKIT_ABI::detail {
/// A valid pattern, ready to search for.
class RegexProgram {
public:
    /// Nothing if the pattern is not valid.
    [[nodiscard]] static std::optional<RegexProgram> make(std::string_view pattern) {
        const RegexReader inner{pattern, inner_place};
        if (inner.bad) return std::nullopt;
        RegexProgram program{inner};
        program.moves_.emplace_back(inner, program.words_);
        if (inner.has_places)
            for (std::size_t place = 1; place != regex_places; ++place)
                program.moves_.emplace_back(RegexReader{pattern, place}, program.words_);
        return program;
    }

    /// Whether a part of the text matches. A step is an operation on 64 positions; what it does is
    /// subtracted from `steps`. If they do not suffice, none are left, and the result is false.
    [[nodiscard]] bool search(std::string_view text, std::size_t& steps) const {
        // With the number of words known, the compiler makes vectors of them.
        switch (words_) {
        case 1: return search_by<1>(text, steps);
        case 2: return search_by<2>(text, steps);
        case 4: return search_by<4>(text, steps);
        case 8: return search_by<8>(text, steps);
        default: return search_by<max_regex_positions / 64>(text, steps);
        }
    }

private:
    using Word = std::uint64_t;

    /// What may happen at a place of one kind.
    struct Moves {
        Moves(const RegexReader& reader, std::size_t words)
            : first(packed(reader.whole.first, words)),
              last(packed(reader.whole.last, words)),
              chained(words),
              branching(words),
              empty(reader.whole.empty) {
            follows.reserve(reader.follows.size() * words);
            for (std::size_t i = 0; i != reader.follows.size(); ++i) {
                const RegexPositions& next = reader.follows[i];
                const std::size_t count = next.count();
                const bool is_chained = count == 1 && next[i + 1];
                if (count != 0) (is_chained ? chained : branching)[i / 64] |= Word{1} << (i % 64);
                const std::vector<Word> row = packed(next, words);
                follows.insert(follows.end(), row.begin(), row.end());
            }
        }

        std::vector<Word> first;
        std::vector<Word> last;
        std::vector<Word> chained;   ///< followed by the next position and nothing else
        std::vector<Word> branching; ///< followed by others, for which `follows` has a row each
        std::vector<Word> follows = {};
        bool empty;
    };

    explicit RegexProgram(const RegexReader& reader)
        : words_(std::bit_ceil(reader.classes.size() / 64 + 1)), matching_(256 * words_) {
        for (std::size_t i = 0; i != reader.classes.size(); ++i)
            for (std::size_t byte = 0; byte != 256; ++byte)
                if (reader.classes[i][byte])
                    matching_[byte * words_ + i / 64] |= Word{1} << (i % 64);
    }

    [[nodiscard]] static std::vector<Word> packed(const RegexPositions& positions,
                                                  std::size_t words) {
        std::vector<Word> result(words);
        for (std::size_t i = 0; i != words * 64; ++i)
            if (positions[i]) result[i / 64] |= Word{1} << (i % 64);
        return result;
    }

    template <std::size_t Words>
    [[nodiscard]] bool search_by(std::string_view text, std::size_t& steps) const {
        std::array<Word, Words> active{};
        for (std::size_t i = 0;; ++i) {
            const Moves& moves = moves_.size() == 1 ? moves_.front() : moves_[place(text, i)];
            Word ended = 0;
            for (std::size_t word = 0; word != Words; ++word)
                ended |= active[word] & moves.last[word];
            if (moves.empty || ended != 0) return true;
            if (i == text.size()) return false;
            const std::size_t cost = advance(active, moves, text[i]);
            if (cost >= steps) {
                steps = 0;
                return false;
            }
            steps -= cost;
        }
    }

    /// From before a character to behind it. Returns the number of steps.
    template <std::size_t Words>
    std::size_t advance(std::array<Word, Words>& active, const Moves& moves, char byte) const {
        std::array<Word, Words> next{};
        std::copy_n(moves.first.begin(), Words, next.begin());
        std::size_t rows = 1;
        Word carry = 0;
        for (std::size_t word = 0; word != Words; ++word) {
            const Word chained = active[word] & moves.chained[word];
            next[word] |= chained << 1 | carry;
            carry = chained >> 63;
            for (Word left = active[word] & moves.branching[word]; left != 0; left &= left - 1) {
                ++rows;
                const auto bit = static_cast<std::size_t>(std::countr_zero(left));
                const Word* const row = moves.follows.data() + (word * 64 + bit) * Words;
                for (std::size_t i = 0; i != Words; ++i) next[i] |= row[i];
            }
        }
        const Word* const matching = matching_.data() + static_cast<unsigned char>(byte) * Words;
        for (std::size_t word = 0; word != Words; ++word)
            active[word] = next[word] & matching[word];
        return rows * Words;
    }

    [[nodiscard]] static std::size_t place(std::string_view text, std::size_t i) noexcept {
        const auto is_word = [&](std::size_t at) {
            if (at >= text.size()) return false; // before the first, too
            const auto byte = static_cast<unsigned char>(text[at]);
            return byte < 0x80 && (std::isalnum(byte) != 0 || byte == '_');
        };
        return (i == 0 ? at_begin : inner_place) | (i == text.size() ? at_end : inner_place) |
               (is_word(i - 1) != is_word(i) ? at_word_edge : inner_place);
    }

    std::size_t words_;
    std::vector<Word> matching_;    // by byte: the positions that match it
    std::vector<Moves> moves_ = {}; // by place; only one if the pattern does not ask for places
};

} // namespace probekit::inline PROBEKIT_ABI::detail
