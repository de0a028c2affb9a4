#include "view/line_writer.hpp"

#include <cerrno>
#include <string>

#include <poll.h>
#include <unistd.h>

namespace supervisor {

void LineWriter::write(std::string_view text) {
    if (error_) return;
    std::string line{text};
    line += '\n';
    std::string_view rest = line;
    while (!rest.empty()) {
        const ssize_t written = ::write(descriptor_, rest.data(), rest.size());
        if (written >= 0) {
            rest.remove_prefix(static_cast<std::size_t>(written));
        } else if (errno == EAGAIN) { // another program made it non-blocking
            pollfd writable{.fd = descriptor_, .events = POLLOUT, .revents = 0};
            ::poll(&writable, 1, -1);
        } else if (errno != EINTR) {
            error_.assign(errno, std::system_category());
            if (failed_) failed_();
            return;
        }
    }
}

bool LineWriter::is_terminal() const noexcept { return ::isatty(descriptor_) == 1; }

} // namespace supervisor
