// Where the lines go that containers print: to standard error with a prefix, into files, or
// nowhere.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include <asio/any_io_executor.hpp>

#include <probekit/process/process_spec.hpp>

#include "manifest/options.hpp"
#include "manifest/pod_spec.hpp"
#include "run/unique_fd.hpp"
#include "view/line_writer.hpp"

namespace supervisor {

class LogRouter {
public:
    /// `errors` outlives the router. Throws std::filesystem::filesystem_error for a directory that
    /// cannot be made or written to.
    LogRouter(asio::any_io_executor executor, const Options& options, LineWriter& errors);
    ~LogRouter();

    /// Sets where a new process writes. Give it the descriptor to keep until the process has been
    /// started. If that fails the process writes nowhere, and standard error says why.
    [[nodiscard]] UniqueFd route(probekit::ProcessSpec& process, const PodSpec& pod,
                                 const std::string& container);

    /// All containers have ended: passes on what they have written and waits for no more.
    void close();

    /// Waits until it is in the files, if it goes there: see LineWriter::flush().
    void flush();

private:
    class Reader;
    /// Passes text on, and calls the function, on another thread, when it has been written or
    /// never will be.
    using Write = std::function<void(std::string text, std::function<void()> written)>;

    struct Log {
        Write write = {};
        std::shared_ptr<Reader> reader = {};
        bool failed = false; // to get a pipe, and that was said
    };

    [[nodiscard]] UniqueFd open_pipe(const PodSpec& pod, const std::string& container);
    [[nodiscard]] Write to_errors();
    [[nodiscard]] Write to_file(const std::string& folder, const std::string& name);

    asio::any_io_executor executor_;
    LogTarget target_;
    std::string directory_;
    LineWriter& errors_;
    std::optional<LineWriter> files_; // for --logs DIR: a thread, as a file system may be slow
    std::map<std::string, Log> logs_; // by NAMESPACE_POD/CONTAINER
};

} // namespace supervisor
