#include "run/log_router.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstddef>
#include <filesystem>
#include <string_view>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include <asio/buffer.hpp>
#include <asio/error.hpp>
#include <asio/posix/stream_descriptor.hpp>
#include <asio/post.hpp>

namespace supervisor {

/// Reads one container's pipe until all who hold its other end are gone. Reads no more while much
/// of what it has read waits to be written: then the container is held up, and nobody else.
class LogRouter::Reader : public std::enable_shared_from_this<Reader> {
public:
    Reader(const asio::any_io_executor& executor, UniqueFd pipe, std::string prefix,
           LineWriter& errors)
        : pipe_(executor, pipe.release()), prefix_(std::move(prefix)), errors_(errors) {
        pipe_.non_blocking(true);
    }

    void read() {
        if (unwritten_ > most_unwritten) {
            paused_ = true;
            return;
        }
        pipe_.async_read_some(asio::buffer(block_),
                              [self = shared_from_this()](std::error_code error, std::size_t size) {
                                  self->pass_on({self->block_.data(), size});
                                  if (self->closing_) return self->finish();
                                  // Whoever reopened the pipe may have come after its end.
                                  if (!error || std::exchange(self->reopened_, false))
                                      return self->read();
                                  self->finish();
                              });
    }

    /// Another end for the container's next process; none if this one has come to its end.
    [[nodiscard]] UniqueFd reopen() {
        if (!pipe_.is_open()) return {};
        reopened_ = true;
        const std::string path = "/proc/self/fd/" + std::to_string(pipe_.native_handle());
        return UniqueFd{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
    }

    /// Reads what is there already, then no more. Not here and now, if a block may have been read
    /// whose handler is on its way.
    void close() {
        closing_ = true;
        if (std::exchange(paused_, false)) return finish();
        std::error_code ignored;
        pipe_.cancel(ignored);
    }

private:
    void finish() {
        if (closing_) drain();
        if (!line_.empty()) write_line();
        submit();
        std::error_code ignored;
        pipe_.close(ignored);
    }

    /// At most as much as a pipe can hold: a process may have left the group and still write.
    void drain() {
        std::error_code error;
        for (std::size_t left = largest_pipe; !error && left > 0;) {
            const std::size_t size = pipe_.read_some(asio::buffer(block_), error);
            pass_on({block_.data(), size});
            left -= std::min(left, size);
        }
    }

    void pass_on(std::string_view text) {
        for (const char c : text) {
            if (c == '\n') {
                write_line();
            } else {
                if (line_.size() == longest_line) write_line(" P] ");
                line_ += c;
            }
        }
        submit();
    }

    /// `end`: of the prefix; parts of a line that goes on are marked as in a runtime's log files.
    void write_line(std::string_view end = "] ") {
        if (lines_.size() + prefix_.size() + line_.size() >= PIPE_BUF) submit();
        lines_.append(prefix_).append(end).append(line_).push_back('\n');
        line_.clear();
    }

    void submit() {
        if (lines_.empty()) return;
        const std::size_t size = lines_.size();
        unwritten_ += size;
        errors_.write_all(std::exchange(lines_, {}),
                          [reader = weak_from_this(), size, executor = pipe_.get_executor()] {
                              asio::post(executor, [reader, size] {
                                  if (const auto self = reader.lock()) self->written(size);
                              });
                          });
    }

    void written(std::size_t size) {
        unwritten_ -= size;
        if (unwritten_ <= most_unwritten && std::exchange(paused_, false)) read();
    }

    static constexpr std::size_t longest_line = 256 * 1024; // longer ones are broken
    static constexpr std::size_t largest_pipe = 1024 * 1024;
    static constexpr std::size_t most_unwritten = 32 * 1024;

    asio::posix::stream_descriptor pipe_;
    std::string prefix_;
    LineWriter& errors_;
    std::string line_;  // which has not come to its end
    std::string lines_; // to be written together
    std::array<char, 4096> block_{};
    std::size_t unwritten_ = 0;
    bool paused_ = false;
    bool reopened_ = false;
    bool closing_ = false;
};

LogRouter::LogRouter(asio::any_io_executor executor, const Options& options, LineWriter& errors)
    : executor_(std::move(executor)),
      target_(options.logs),
      directory_(options.log_directory),
      errors_(errors) {}

LogRouter::~LogRouter() = default;

void LogRouter::prepare(const std::string& pod) const {
    if (target_ == LogTarget::directory)
        std::filesystem::create_directories(directory_ + "/" + pod);
}

UniqueFd LogRouter::route(probekit::ProcessSpec& process, const std::string& pod,
                          const std::string& container) {
    UniqueFd written;
    if (target_ == LogTarget::prefix) written = open_pipe(pod, container);
    if (target_ == LogTarget::directory) written = open_file(pod, container);
    process.output = probekit::ProcessOutput::discard;
    process.stdout_fd = process.stderr_fd = written.get();
    return written;
}

UniqueFd LogRouter::open_pipe(const std::string& pod, const std::string& container) {
    const std::string prefix = "[pod/" + pod + "/" + container;
    // A container has one pipe, however often it is restarted while nobody reads.
    std::shared_ptr<Reader>& reader = readers_[prefix];
    if (reader)
        if (UniqueFd written = reader->reopen(); written.get() >= 0) return written;
    std::array<int, 2> ends{-1, -1};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        errors_.write(prefix + "] no log: " + std::system_category().message(errno));
        return {};
    }
    UniqueFd written{ends[1]};
    reader = std::make_shared<Reader>(executor_, UniqueFd{ends[0]}, prefix, errors_);
    reader->read();
    return written;
}

UniqueFd LogRouter::open_file(const std::string& pod, const std::string& container) {
    const std::string path = directory_ + "/" + pod + "/" + container + ".log";
    UniqueFd written{::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644)};
    if (written.get() < 0) errors_.write(path + ": " + std::system_category().message(errno));
    return written;
}

void LogRouter::close() {
    for (const auto& [prefix, reader] : readers_)
        if (reader) reader->close();
}

} // namespace supervisor
