#include "run/log_router.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
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

namespace supervisor {

/// Reads one process's pipe until all who hold its other end are gone.
class LogRouter::Reader : public std::enable_shared_from_this<Reader> {
public:
    Reader(const asio::any_io_executor& executor, UniqueFd pipe, std::string prefix,
           LineWriter& errors)
        : pipe_(executor, pipe.release()), prefix_(std::move(prefix)), errors_(errors) {
        pipe_.non_blocking(true);
    }

    void read() {
        pipe_.async_read_some(asio::buffer(block_),
                              [self = shared_from_this()](std::error_code error, std::size_t size) {
                                  self->pass_on({self->block_.data(), size});
                                  if (!error && !self->closing_) return self->read();
                                  if (self->closing_) self->drain();
                                  self->flush();
                              });
    }

    /// Reads what is there already, then no more. Not here and now: a block may have been read
    /// whose handler is on its way.
    void close() {
        closing_ = true;
        std::error_code ignored;
        pipe_.cancel(ignored);
    }

private:
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
            if (c == '\n' || line_.size() == longest_line) write_line();
            if (c != '\n') line_ += c;
        }
    }

    void write_line() {
        errors_.write(prefix_ + line_);
        line_.clear();
    }

    void flush() {
        if (!line_.empty()) write_line();
    }

    static constexpr std::size_t longest_line =
        16 * 1024; // longer ones are broken, as a container runtime does
    static constexpr std::size_t largest_pipe = 1024 * 1024;

    asio::posix::stream_descriptor pipe_;
    std::string prefix_;
    LineWriter& errors_;
    std::string line_;
    std::array<char, 4096> block_{};
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
    std::string prefix = "[pod/" + pod + "/" + container + "] ";
    std::array<int, 2> ends{-1, -1};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
        errors_.write(prefix + "no log: " + std::system_category().message(errno));
        return {};
    }
    UniqueFd written{ends[1]};
    const auto reader =
        std::make_shared<Reader>(executor_, UniqueFd{ends[0]}, std::move(prefix), errors_);
    reader->read();
    std::erase_if(readers_, [](const std::weak_ptr<Reader>& one) { return one.expired(); });
    readers_.push_back(reader);
    return written;
}

UniqueFd LogRouter::open_file(const std::string& pod, const std::string& container) {
    const std::string path = directory_ + "/" + pod + "/" + container + ".log";
    UniqueFd written{::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644)};
    if (written.get() < 0) errors_.write(path + ": " + std::system_category().message(errno));
    return written;
}

void LogRouter::close() {
    for (const std::weak_ptr<Reader>& one : readers_)
        if (const auto reader = one.lock()) reader->close();
}

} // namespace supervisor
