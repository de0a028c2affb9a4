#include "manifest/printable.hpp"

#include <array>
#include <cstddef>

namespace supervisor {
namespace {

constexpr std::string_view digits = "0123456789abcdef";

/// The character at the beginning of a text, and its length in bytes. The length is 0 if the text
/// does not begin with UTF-8.
struct Character {
    char32_t code = 0;
    std::size_t length = 0;
};

Character first_of(std::string_view text) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    const unsigned char lead = byte(0);
    const std::size_t length = lead < 0x80   ? 1
                               : lead < 0xc2 ? 0
                               : lead < 0xe0 ? 2
                               : lead < 0xf0 ? 3
                               : lead < 0xf5 ? 4
                                             : 0;
    if (length == 0 || length > text.size()) return {};
    constexpr std::array<unsigned, 5> lead_bits{0, 0x7f, 0x1f, 0x0f, 0x07};
    constexpr std::array<char32_t, 5> least{0, 0, 0x80, 0x800, 0x10000};
    char32_t code = lead & lead_bits[length];
    for (std::size_t i = 1; i != length; ++i) {
        if ((byte(i) & 0xc0U) != 0x80U) return {};
        code = code << 6 | (byte(i) & 0x3fU);
    }
    const bool surrogate = code >= 0xd800 && code < 0xe000;
    if (code < least[length] || code > 0x10ffff || surrogate) return {};
    return {code, length};
}

/// Characters above ASCII that change how others are shown, or where.
bool steers(char32_t code) {
    return (code >= 0x80 && code < 0xa0) ||                      // C1
           code == 0x061c || code == 0x200e || code == 0x200f || // marks of direction
           (code >= 0x2028 && code <= 0x202e) || // separators, embeddings, overrides
           (code >= 0x2066 && code <= 0x2069);   // isolates
}

} // namespace

std::string printable(std::string_view text) {
    std::string line;
    while (!text.empty()) {
        const auto [code, length] = first_of(text);
        const auto byte = static_cast<unsigned char>(text.front());
        if (code == U'\n') {
            line += "\\n";
        } else if (code == U'\t') {
            line += "\\t";
        } else if (length == 0 || code < 0x20) {
            line += "\\x";
            line += digits[byte / 16];
            line += digits[byte % 16];
        } else if (code == 0x7f || steers(code)) {
            line += "\\u";
            for (int shift = 12; shift >= 0; shift -= 4) line += digits[code >> shift & 0xfU];
        } else {
            line += text.substr(0, length);
        }
        text.remove_prefix(length == 0 ? 1 : length);
    }
    return line;
}

} // namespace supervisor
