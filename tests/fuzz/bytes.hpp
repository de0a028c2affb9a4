// Reads a fuzzer's bytes as numbers and choices. After their end everything reads as 0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace fuzz {

class Bytes {
public:
    Bytes(const std::uint8_t* data, std::size_t size)
        : rest_(reinterpret_cast<const char*>(data), size) {}

    [[nodiscard]] bool empty() const noexcept { return rest_.empty(); }
    [[nodiscard]] std::string_view rest() const noexcept { return rest_; }

    unsigned byte() noexcept {
        if (rest_.empty()) return 0;
        const auto value = static_cast<unsigned char>(rest_.front());
        rest_.remove_prefix(1);
        return value;
    }

    /// 0 to limit - 1.
    unsigned below(unsigned limit) noexcept { return byte() % limit; }
    bool flag() noexcept { return (byte() & 1) != 0; }

    template <class Array>
    auto one_of(const Array& choices) noexcept {
        return choices[below(static_cast<unsigned>(choices.size()))];
    }

private:
    std::string_view rest_;
};

} // namespace fuzz
