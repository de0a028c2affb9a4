// Whole lines onto a file descriptor, written by a thread of its own: whoever writes never waits
// for a reader that is slow or has stopped reading.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <system_error>

namespace supervisor {

/// The descriptor stays as it was inherited: other programs share it, so it is not made
/// non-blocking.
class LineWriter {
public:
    /// So many bytes of lines that may be dropped wait for a reader at most.
    static constexpr std::size_t most_pending = 1024 * 1024;

    /// -1: only for what others write, see write_all().
    explicit LineWriter(int descriptor = -1);
    LineWriter(const LineWriter&) = delete;
    LineWriter& operator=(const LineWriter&) = delete;
    /// Gives up what has not been written.
    ~LineWriter();

    /// Both are called on the writer's thread, never after the destructor has returned, and must
    /// not call the writer. `failed` is called at the first error, `drained` when all has been
    /// written after a line was dropped or after notify_when_drained().
    struct Callbacks {
        std::function<void()> failed = {};
        std::function<void()> drained = {};
    };
    void callbacks(Callbacks callbacks);

    /// Writes `text` and a line break. False: it was dropped, since too much waits to be written
    /// already. After the first error (the reader has gone) nothing is written any more.
    bool write(std::string_view text);

    /// Never drops. `text` is one line or more, each with its line break. `written` is called, as
    /// Callbacks are, when it has been written or can never be: whoever writes much waits for that.
    /// With `write` it is that function that writes the text, elsewhere, and no error ends it. It
    /// is called once on the writer's thread, perhaps after the destructor has returned.
    void write_all(std::string text, std::function<void()> written,
                   std::function<void(std::string_view text)> write = {});

    /// Whether write() will hardly drop a line now.
    [[nodiscard]] bool has_room() const;
    void notify_when_drained();
    /// How many lines have been dropped since the last call.
    [[nodiscard]] std::size_t take_dropped();

    /// Waits until all has been written. False: an error, or nobody has read anything for a second.
    bool flush();

    [[nodiscard]] std::error_code error() const;
    [[nodiscard]] bool is_terminal() const noexcept;

private:
    struct Shared;

    static void run(const std::shared_ptr<Shared>& shared);

    std::shared_ptr<Shared> shared_; // with the thread, which may be stuck in a write for ever
};

} // namespace supervisor
