#include "manifest/uuid.hpp"

#include <array>
#include <cstddef>
#include <random>
#include <string_view>

namespace supervisor {

std::string random_uuid() {
    std::random_device random;
    std::array<unsigned, 16> bytes{};
    for (unsigned& byte : bytes) byte = random() & 0xffU;
    bytes[6] = (bytes[6] & 0x0fU) | 0x40U; // version 4: random
    bytes[8] = (bytes[8] & 0x3fU) | 0x80U; // variant: RFC 9562
    constexpr std::string_view digits = "0123456789abcdef";
    std::string text;
    for (std::size_t i = 0; i != bytes.size(); ++i) {
        if (i == 4 || i == 6 || i == 8 || i == 10) text += '-';
        text += digits[bytes[i] / 16];
        text += digits[bytes[i] % 16];
    }
    return text;
}

} // namespace supervisor
