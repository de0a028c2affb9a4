// Where the lines go that containers print: to standard error with a prefix, into files, or
// nowhere.
#pragma once

#include <map>
#include <memory>
#include <string>

#include <asio/any_io_executor.hpp>

#include <probekit/process/process_spec.hpp>

#include "manifest/options.hpp"
#include "run/unique_fd.hpp"
#include "view/line_writer.hpp"

namespace supervisor {

class LogRouter {
public:
    /// `errors` outlives the router.
    LogRouter(asio::any_io_executor executor, const Options& options, LineWriter& errors);
    ~LogRouter();

    /// Makes what is needed for a pod's files. Throws std::filesystem::filesystem_error.
    void prepare(const std::string& pod) const;

    /// Sets where a new process writes. Give it the descriptor to keep until the process has been
    /// started. If that fails the process writes nowhere, and standard error says why.
    [[nodiscard]] UniqueFd route(probekit::ProcessSpec& process, const std::string& pod,
                                 const std::string& container);

    /// All containers have ended: passes on what they have written and waits for no more.
    void close();

private:
    class Reader;

    [[nodiscard]] UniqueFd open_pipe(const std::string& pod, const std::string& container);
    [[nodiscard]] UniqueFd open_file(const std::string& pod, const std::string& container);

    asio::any_io_executor executor_;
    LogTarget target_;
    std::string directory_;
    LineWriter& errors_;
    std::map<std::string, std::shared_ptr<Reader>> readers_; // by the prefix of their lines
};

} // namespace supervisor
