// Whole lines onto a file descriptor, at once: what is written is visible to a reader before the
// next line is made.
#pragma once

#include <functional>
#include <string_view>
#include <system_error>
#include <utility>

namespace supervisor {

class LineWriter {
public:
    explicit LineWriter(int descriptor) noexcept : descriptor_(descriptor) {}

    /// `failed` is called at the first error.
    void on_error(std::function<void()> failed) { failed_ = std::move(failed); }

    /// Writes `text` and a line break; waits while a slow reader's pipe is full. After the first
    /// error (the reader has gone) nothing is written any more.
    void write(std::string_view text);

    [[nodiscard]] const std::error_code& error() const noexcept { return error_; }
    [[nodiscard]] bool is_terminal() const noexcept;

private:
    int descriptor_;
    std::error_code error_ = {};
    std::function<void()> failed_ = {};
};

} // namespace supervisor
