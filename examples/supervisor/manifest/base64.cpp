#include "manifest/base64.hpp"

#include <cstddef>

namespace supervisor {

std::optional<std::string> from_base64(std::string_view text) {
    constexpr std::string_view digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string bytes;
    std::size_t count = 0;
    std::size_t padding = 0;
    unsigned bits = 0;
    for (const char c : text) {
        if (c == '\n' || c == '\r') continue;
        const std::size_t digit = digits.find(c);
        if (c == '=' ? ++padding > 2 : digit == std::string_view::npos || padding != 0)
            return std::nullopt;
        bits = bits << 6 | static_cast<unsigned>(c == '=' ? 0 : digit);
        if (++count % 4 != 0) continue;
        for (unsigned i = 0; i != 3; ++i) bytes += static_cast<char>(bits >> (16 - 8 * i) & 0xffU);
    }
    if (count % 4 != 0) return std::nullopt;
    bytes.resize(bytes.size() - padding);
    return bytes;
}

} // namespace supervisor
