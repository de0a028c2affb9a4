// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <system_error>

#include <probekit/config.hpp>

namespace probekit::inline PROBEKIT_ABI::detail {

/// A std::error_code in 12 bytes instead of 16, two of them in 24 instead of 32: without the gap
/// behind the number.
class PackedErrorCode {
public:
    PackedErrorCode() noexcept : PackedErrorCode(std::error_code{}) {}
    PackedErrorCode(const std::error_code& code) noexcept
        : value_(code.value()), category_(std::bit_cast<Bytes>(&code.category())) {}

    operator std::error_code() const noexcept {
        return {value_, *std::bit_cast<const std::error_category*>(category_)};
    }

private:
    using Bytes = std::array<std::byte, sizeof(void*)>;

    int value_;
    Bytes category_;
};

} // namespace probekit::inline PROBEKIT_ABI::detail
