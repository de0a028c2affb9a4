// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

#include <probekit/config.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// Follows a stream of TLS records as far as to know where they end, and how the stream began: Go
/// tells a peer that speaks no TLS by its first five bytes.
class RecordTracker {
public:
    void saw(std::string_view bytes) noexcept {
        while (!bytes.empty()) {
            if (held_ == header_.size()) { // within a record
                const std::size_t taken = std::min(left_, bytes.size());
                left_ -= taken;
                bytes.remove_prefix(taken);
                if (left_ == 0) held_ = 0;
                continue;
            }
            header_[held_++] = bytes.front();
            bytes.remove_prefix(1);
            if (held_ != header_.size()) continue;
            if (!begun_) first_ = header_;
            begun_ = true;
            left_ = byte(3) << 8 | byte(4);
            if (left_ == 0) held_ = 0;
        }
    }

    /// Whether the stream may end here.
    [[nodiscard]] bool between_records() const noexcept { return held_ == 0; }

    /// Whether the first record cannot be one of TLS. By Go's rule: neither a handshake nor an
    /// alert, or of a version that will never be.
    [[nodiscard]] bool is_no_tls() const noexcept {
        constexpr char alert = 21;
        constexpr char handshake = 22;
        const auto version = static_cast<unsigned char>(first_[1]);
        return begun_ && ((first_[0] != alert && first_[0] != handshake) || version >= 0x10);
    }

    [[nodiscard]] bool is_http() const noexcept {
        return begun_ && std::string_view{first_.data(), 5} == "HTTP/";
    }

private:
    [[nodiscard]] std::size_t byte(std::size_t at) const noexcept {
        return static_cast<unsigned char>(header_[at]);
    }

    std::array<char, 5> header_ = {}; // type, version, length of the record being read
    std::array<char, 5> first_ = {};
    std::size_t held_ = 0; // of header_
    std::size_t left_ = 0; // of the record
    bool begun_ = false;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
