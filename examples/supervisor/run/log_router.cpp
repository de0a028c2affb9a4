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

#include "run/log_file.hpp"

namespace supervisor {

/// Reads one container's pipe until all who hold its other end are gone. Reads no more while much
/// of what it has read waits to be written: then the container is held up, and nobody else.
class LogRouter::Reader : public std::enable_shared_from_this<Reader> {
public:
    /// `prefix`: of each line. Empty: the text is passed on as it comes.
    Reader(const asio::any_io_executor& executor, UniqueFd pipe, std::string prefix, Write write)
        : pipe_(executor, pipe.release()), prefix_(std::move(prefix)), write_(std::move(write)) {
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
        if (prefix_.empty()) {
            lines_ = text;
            return submit();
        }
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
        write_(std::exchange(lines_, {}),
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
    Write write_;
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
      errors_(errors) {
    if (target_ != LogTarget::directory) return;
    std::filesystem::create_directories(directory_);
    if (::faccessat(AT_FDCWD, directory_.c_str(), W_OK | X_OK, AT_EACCESS) != 0)
        throw std::filesystem::filesystem_error{
            "cannot write logs", directory_, {errno, std::system_category()}};
    files_.emplace();
}

LogRouter::~LogRouter() = default;

UniqueFd LogRouter::route(probekit::ProcessSpec& process, const PodSpec& pod,
                          const std::string& container) {
    UniqueFd written;
    if (target_ != LogTarget::none) written = open_pipe(pod, container);
    process.output = probekit::ProcessOutput::discard;
    process.stdout_fd = process.stderr_fd = written.get();
    return written;
}

UniqueFd LogRouter::open_pipe(const PodSpec& pod, const std::string& container) {
    const std::string folder = pod.name_space + "_" + pod.name;
    const auto [position, is_new] = logs_.try_emplace(folder + "/" + container);
    Log& log = position->second;
    const bool in_file = target_ == LogTarget::directory;
    if (is_new) log.write = in_file ? to_file(folder, container + ".log") : to_errors();
    if (in_file) log.write({}, {}); // the file is there, though nothing may be printed

    // A container has one pipe, however often it is restarted while nobody reads.
    if (log.reader)
        if (UniqueFd written = log.reader->reopen(); written.get() >= 0) return written;
    const std::string prefix = "[pod/" + pod.name + "/" + container;
    std::array<int, 2> ends{-1, -1};
    const bool failed = ::pipe2(ends.data(), O_CLOEXEC) != 0;
    if (failed && !log.failed)
        errors_.write(prefix + "] no log: " + std::system_category().message(errno));
    log.failed = failed;
    if (failed) return {};
    UniqueFd written{ends[1]};
    log.reader =
        std::make_shared<Reader>(executor_, UniqueFd{ends[0]}, in_file ? "" : prefix, log.write);
    log.reader->read();
    return written;
}

LogRouter::Write LogRouter::to_errors() {
    return [this](std::string text, std::function<void()> written) {
        errors_.write_all(std::move(text), std::move(written));
    };
}

LogRouter::Write LogRouter::to_file(const std::string& folder, const std::string& name) {
    /// Both are used on the thread that writes.
    struct Target {
        LogFile file;
        std::string to_say = {};
    };
    const auto target = std::make_shared<Target>(Target{.file = {directory_, folder, name}});
    return [this, target](std::string text, std::function<void()> written) {
        files_->write_all(
            std::move(text),
            [this, target, written = std::move(written)] {
                if (!target->to_say.empty()) errors_.write(target->to_say);
                if (written) written();
            },
            [target](std::string_view all) { target->to_say = target->file.append(all); });
    };
}

void LogRouter::close() {
    for (const auto& [name, log] : logs_)
        if (log.reader) log.reader->close();
}

void LogRouter::flush() {
    if (files_) files_->flush();
}

} // namespace supervisor
