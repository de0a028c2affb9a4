// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <probekit/config.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// One code point of UTF-8 text. For a byte that is not part of any: `valid` is
/// false and `size` is 1.
struct CodePoint {
    std::uint32_t value = 0;
    std::size_t size = 1;
    bool valid = false;
};

/// The code point that `text` (not empty) begins with.
[[nodiscard]] constexpr CodePoint first_code_point(std::string_view text) noexcept {
    const auto byte_at = [text](std::size_t index) {
        return static_cast<unsigned char>(text[index]);
    };
    const unsigned lead = byte_at(0);
    if (lead < 0x80) return {lead, 1, true};
    const std::size_t size = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || text.size() < size) return {};
    std::uint32_t value = lead & (0x7fu >> size);
    for (std::size_t i = 1; i != size; ++i) {
        if ((byte_at(i) & 0xc0u) != 0x80u) return {};
        value = value << 6 | (byte_at(i) & 0x3fu);
    }
    const bool overlong = (size == 3 && value < 0x800) || (size == 4 && value < 0x10000);
    const bool surrogate = value >= 0xd800 && value <= 0xdfff;
    if (overlong || surrogate || value > 0x10ffff) return {};
    return {value, size, true};
}

} // namespace probekit::inline PROBEKIT_ABI::detail
