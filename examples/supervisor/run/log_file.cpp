#include "run/log_file.hpp"

#include <cerrno>
#include <filesystem>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "manifest/printable.hpp"
#include "run/unique_fd.hpp"

namespace supervisor {
namespace {

std::error_code last_error() { return {errno, std::system_category()}; }

/// What may not be written to, whoever asks.
std::error_code no_regular_file() { return {EINVAL, std::system_category()}; }

std::error_code open_folder(const std::string& directory, const std::string& name,
                            UniqueFd& folder) {
    constexpr int flags = O_PATH | O_DIRECTORY | O_CLOEXEC;
    std::error_code not_made; // mostly because it is there, and then it can be opened
    std::filesystem::create_directories(directory, not_made);
    const UniqueFd parent{::open(directory.c_str(), flags)};
    if (parent.get() < 0) return not_made ? not_made : last_error();
    if (::mkdirat(parent.get(), name.c_str(), 0755) != 0 && errno != EEXIST)
        not_made = last_error();
    folder = UniqueFd{::openat(parent.get(), name.c_str(), flags | O_NOFOLLOW)};
    if (folder.get() >= 0) return {};
    return not_made ? not_made : last_error();
}

std::error_code open_file(const UniqueFd& folder, const std::string& name, UniqueFd& file) {
    constexpr int flags =
        O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
    struct stat what = {};
    // Not even opened: a device may do something then.
    if (::fstatat(folder.get(), name.c_str(), &what, AT_SYMLINK_NOFOLLOW) == 0 &&
        !S_ISREG(what.st_mode))
        return no_regular_file();
    file = UniqueFd{::openat(folder.get(), name.c_str(), flags, 0644)};
    if (file.get() < 0) return last_error();
    if (::fstat(file.get(), &what) != 0) return last_error();
    return S_ISREG(what.st_mode) ? std::error_code{} : no_regular_file();
}

std::error_code write(UniqueFd file, std::string_view text) {
    while (!text.empty()) {
        const ssize_t written = ::write(file.get(), text.data(), text.size());
        if (written >= 0)
            text.remove_prefix(static_cast<std::size_t>(written));
        else if (errno != EINTR)
            return last_error();
    }
    // Some file systems say so late that there was no room.
    return ::close(file.release()) == 0 || errno == EINTR ? std::error_code{} : last_error();
}

} // namespace

LogFile::LogFile(std::string directory, std::string folder, std::string file)
    : directory_(std::move(directory)), folder_(std::move(folder)), file_(std::move(file)) {}

std::string LogFile::append(std::string_view text) {
    UniqueFd folder;
    UniqueFd file;
    std::string path = directory_ + "/" + folder_;
    std::error_code error = open_folder(directory_, folder_, folder);
    if (!error) {
        path += "/" + file_;
        error = open_file(folder, file_, file);
    }
    if (!error) error = write(std::move(file), text);
    // That nothing could be written, as when a container starts, says little.
    const bool worked = std::exchange(works_, !error && (works_ || !text.empty()));
    if (!error || !worked) return {};
    return printable(path) + ": " +
           (error == no_regular_file() ? "not a regular file" : error.message()) +
           ": what its container prints is not kept";
}

} // namespace supervisor
