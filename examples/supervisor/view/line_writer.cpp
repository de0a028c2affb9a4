#include "view/line_writer.hpp"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <climits>
#include <condition_variable>
#include <csignal>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include <poll.h>
#include <unistd.h>

namespace supervisor {
namespace {

using SteadyTime = std::chrono::steady_clock::time_point;

constexpr std::chrono::seconds patience{1}; // with a reader that does not read, at the end

/// As much as a pipe takes whole or not at all, so that programs that share it do not mix lines.
std::error_code write_some(int descriptor, std::string_view& text) {
    for (;;) {
        const ssize_t written =
            ::write(descriptor, text.data(), std::min<std::size_t>(text.size(), PIPE_BUF));
        if (written >= 0) {
            text.remove_prefix(static_cast<std::size_t>(written));
            return {};
        }
        if (errno == EAGAIN) { // another program made it non-blocking
            pollfd writable{.fd = descriptor, .events = POLLOUT, .revents = 0};
            ::poll(&writable, 1, -1);
        } else if (errno != EINTR) {
            return {errno, std::system_category()};
        }
    }
}

void block_all_signals() {
    sigset_t all;
    ::sigfillset(&all);
    ::pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

} // namespace

struct LineWriter::Shared {
    struct Entry {
        std::string text = {};
        bool droppable = true;
        std::function<void()> written = {};
        std::function<void(std::string_view)> write = {};
    };

    explicit Shared(int where) : descriptor(where) {}

    /// The callbacks are called under the lock, so that their owner can forbid them.
    void call(const std::function<void()>& callback) const {
        if (!abandoned && callback) callback();
    }

    /// Under the lock.
    void enqueue(Entry entry) {
        if (queue.empty()) last_progress = std::chrono::steady_clock::now();
        if (entry.droppable) pending += entry.text.size();
        queue.push_back(std::move(entry));
        changed.notify_all();
    }

    const int descriptor;
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<Entry> queue; // the first one is being written
    std::size_t pending = 0; // bytes that might have been dropped
    std::size_t dropped = 0;
    bool tells_drained = false;
    bool abandoned = false;
    std::error_code error;
    SteadyTime last_progress = {};
    Callbacks callbacks;
};

LineWriter::LineWriter(int descriptor) : shared_(std::make_shared<Shared>(descriptor)) {
    // Nobody waits for the end of a thread that may be stuck in a write.
    std::thread{[shared = shared_] { run(shared); }}.detach();
}

LineWriter::~LineWriter() {
    const std::lock_guard lock{shared_->mutex};
    shared_->abandoned = true;
    shared_->changed.notify_all();
}

void LineWriter::run(const std::shared_ptr<Shared>& shared) {
    block_all_signals();
    Shared& state = *shared;
    std::unique_lock lock{state.mutex};
    for (;;) {
        state.changed.wait(lock, [&] { return state.abandoned || !state.queue.empty(); });
        if (state.abandoned) return;
        const Shared::Entry& entry = state.queue.front();
        std::string_view rest = entry.text;
        if (entry.write) {
            lock.unlock();
            entry.write(std::exchange(rest, {}));
            lock.lock();
            state.last_progress = std::chrono::steady_clock::now();
        }
        while (!rest.empty() && !state.error && !state.abandoned) {
            lock.unlock();
            const std::error_code error = write_some(state.descriptor, rest);
            lock.lock();
            state.last_progress = std::chrono::steady_clock::now();
            if (!error) continue;
            state.error = error;
            state.call(state.callbacks.failed);
        }
        if (entry.droppable) state.pending -= entry.text.size();
        state.call(entry.written);
        state.queue.pop_front();
        if (!state.queue.empty()) continue;
        if (std::exchange(state.tells_drained, false)) state.call(state.callbacks.drained);
        state.changed.notify_all();
    }
}

void LineWriter::callbacks(Callbacks callbacks) {
    const std::lock_guard lock{shared_->mutex};
    shared_->callbacks = std::move(callbacks);
}

bool LineWriter::write(std::string_view text) {
    std::string line;
    line.reserve(text.size() + 1);
    line.append(text).push_back('\n');
    const std::lock_guard lock{shared_->mutex};
    if (shared_->error) return true;
    // One line is taken however long it is, or it could never be written.
    if (shared_->pending != 0 && shared_->pending + line.size() > most_pending) {
        ++shared_->dropped;
        shared_->tells_drained = true;
        return false;
    }
    shared_->enqueue({.text = std::move(line)});
    return true;
}

void LineWriter::write_all(std::string text, std::function<void()> written,
                           std::function<void(std::string_view)> write) {
    const std::lock_guard lock{shared_->mutex};
    shared_->enqueue({.text = std::move(text),
                      .droppable = false,
                      .written = std::move(written),
                      .write = std::move(write)});
}

bool LineWriter::has_room() const {
    const std::lock_guard lock{shared_->mutex};
    return shared_->pending < most_pending / 2;
}

void LineWriter::notify_when_drained() {
    const std::lock_guard lock{shared_->mutex};
    if (shared_->queue.empty()) return shared_->call(shared_->callbacks.drained);
    shared_->tells_drained = true;
}

std::size_t LineWriter::take_dropped() {
    const std::lock_guard lock{shared_->mutex};
    return std::exchange(shared_->dropped, 0);
}

bool LineWriter::flush() {
    std::unique_lock lock{shared_->mutex};
    const auto done = [this] { return shared_->queue.empty(); };
    for (;;) {
        const SteadyTime progress = shared_->last_progress;
        if (shared_->changed.wait_until(lock, progress + patience, done)) return !shared_->error;
        if (shared_->last_progress == progress) return false;
    }
}

std::error_code LineWriter::error() const {
    const std::lock_guard lock{shared_->mutex};
    return shared_->error;
}

bool LineWriter::is_terminal() const noexcept { return ::isatty(shared_->descriptor) == 1; }

} // namespace supervisor
