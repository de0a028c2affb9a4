// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <probekit/config.hpp>
#include <probekit/core/detail/code_point.hpp>
#include <probekit/core/detail/on_use.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// One label of a host name in the ASCII form of RFC 3492: "b\u00fccher" becomes "xn--bcher-kva".
/// Empty if the label is not UTF-8 or is longer than a label may be.
template <class = OnUse>
[[nodiscard]] inline std::string punycode_label(std::string_view label) {
    constexpr std::uint32_t base = 36, t_min = 1, t_max = 26, skew = 38, damp = 700;
    constexpr std::size_t longest = 63;
    if (label.size() > 4 * longest) return {};
    std::vector<std::uint32_t> points;
    std::string result = "xn--";
    while (!label.empty()) {
        const CodePoint point = first_code_point(label);
        if (!point.valid) return {};
        points.push_back(point.value);
        if (point.value < 0x80) result += static_cast<char>(point.value);
        label.remove_prefix(point.size);
    }
    std::size_t done = result.size() - 4;
    const std::size_t basic = done;
    if (basic != 0) result += '-';

    std::uint32_t n = 0x80, delta = 0, bias = 72;
    while (done != points.size()) {
        std::uint32_t next = std::numeric_limits<std::uint32_t>::max();
        for (const std::uint32_t point : points)
            if (point >= n) next = std::min(next, point);
        delta += (next - n) * static_cast<std::uint32_t>(done + 1); // a label is short: no overflow
        n = next;
        for (const std::uint32_t point : points) {
            if (point < n) ++delta;
            if (point != n) continue;
            std::uint32_t q = delta;
            for (std::uint32_t k = base;; k += base) {
                const std::uint32_t t = k <= bias ? t_min : std::min(k - bias, t_max);
                const std::uint32_t digit = q < t ? q : t + (q - t) % (base - t);
                result += static_cast<char>(digit < 26 ? 'a' + digit : '0' + (digit - 26));
                if (q < t) break;
                q = (q - t) / (base - t);
            }
            delta = done == basic ? delta / damp : delta / 2;
            ++done;
            delta += delta / static_cast<std::uint32_t>(done);
            std::uint32_t k = 0;
            for (; delta > (base - t_min) * t_max / 2; k += base) delta /= base - t_min;
            bias = k + (base - t_min + 1) * delta / (delta + skew);
            delta = 0;
        }
        ++delta;
        ++n;
    }
    return result;
}

/// Maps one code point of a host name as IDNA (UTS #46) does, as far as that follows rules and
/// needs no table: capital letters of Latin-1, Greek and Cyrillic become small, full-width
/// characters become ASCII, and the full stops of East Asia become dots.
[[nodiscard]] constexpr std::uint32_t mapped_in_name(std::uint32_t c) noexcept {
    const auto within = [&c](std::uint32_t first, std::uint32_t last) {
        return c >= first && c <= last;
    };
    if (c == 0x3002 || c == 0xff0e || c == 0xff61) return '.';
    if (within(0xff01, 0xff5e)) c -= 0xff01 - '!';
    const bool capital = within('A', 'Z') || (within(0xc0, 0xde) && c != 0xd7) ||
                         within(0x391, 0x3a9) || within(0x410, 0x42f);
    if (capital) return c + 0x20;
    return within(0x400, 0x40f) ? c + 0x50 : c;
}

template <class = OnUse>
[[nodiscard]] inline std::string mapped_name(std::string_view name) {
    std::string result;
    while (!name.empty()) {
        const CodePoint point = first_code_point(name);
        if (const std::uint32_t c = mapped_in_name(point.value); !point.valid || c == point.value) {
            result.append(name.substr(0, point.size));
        } else if (c < 0x80) {
            result += static_cast<char>(c);
        } else { // no mapped code point needs more than two bytes
            result += static_cast<char>(0xc0 | c >> 6);
            result += static_cast<char>(0x80 | (c & 0x3f));
        }
        name.remove_prefix(point.size);
    }
    return result;
}

/// A host, perhaps with a port, with the labels of its name in ASCII form. Unchanged if it is ASCII
/// already or has no such form.
template <class = OnUse>
[[nodiscard]] inline std::string ascii_host(std::string_view host) {
    const auto is_ascii = [](std::string_view text) {
        return std::all_of(text.begin(), text.end(),
                           [](char c) { return static_cast<unsigned char>(c) < 0x80; });
    };
    if (is_ascii(host)) return std::string{host};
    const std::size_t end = std::min(host.find(':'), host.size());
    std::string result;
    const std::string mapped = mapped_name(host.substr(0, end));
    std::string_view name = mapped;
    for (;;) {
        const std::size_t dot = name.find('.');
        const std::string_view label = name.substr(0, dot);
        const std::string converted = is_ascii(label) ? std::string{label} : punycode_label(label);
        if (converted.empty() && !label.empty()) return std::string{host};
        result += converted;
        if (dot == std::string_view::npos) break;
        result += '.';
        name.remove_prefix(dot + 1);
    }
    return result.append(host.substr(end));
}

} // namespace probekit::inline PROBEKIT_ABI::detail
