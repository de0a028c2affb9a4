// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>

#include <probekit/config.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// Follows a stream of TLS records, to know where records end and how the stream began: Go
/// recognises a peer that speaks no TLS by its first five bytes.
class RecordTracker {
public:
    void consume(std::string_view bytes) noexcept {
        while (!bytes.empty()) {
            if (header_size_ == header_.size()) { // within a record
                const std::size_t taken = std::min(body_left_, bytes.size());
                body_left_ -= taken;
                bytes.remove_prefix(taken);
                if (body_left_ == 0) header_size_ = 0;
                continue;
            }
            header_[header_size_++] = bytes.front();
            bytes.remove_prefix(1);
            if (header_size_ != header_.size()) continue;
            if (!started_) first_ = header_;
            started_ = true;
            body_left_ = byte(3) << 8 | byte(4);
            if (body_left_ == 0) header_size_ = 0;
        }
    }

    /// Whether the stream may end here.
    [[nodiscard]] bool between_records() const noexcept { return header_size_ == 0; }

    /// Whether the first record cannot be one of TLS. Go's rule: it is neither a handshake nor an
    /// alert, or of a version that will never exist.
    [[nodiscard]] bool is_no_tls() const noexcept {
        constexpr char alert = 21;
        constexpr char handshake = 22;
        const auto version = static_cast<unsigned char>(first_[1]);
        return started_ && ((first_[0] != alert && first_[0] != handshake) || version >= 0x10);
    }

    [[nodiscard]] bool is_http() const noexcept {
        return started_ && std::string_view{first_.data(), 5} == "HTTP/";
    }

private:
    [[nodiscard]] std::size_t byte(std::size_t at) const noexcept {
        return static_cast<unsigned char>(header_[at]);
    }

    std::array<char, 5> header_ = {}; // type, version, length of the record being read
    std::array<char, 5> first_ = {};
    std::size_t header_size_ = 0; // bytes read of header_
    std::size_t body_left_ = 0;   // bytes of the record still to come
    bool started_ = false;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
