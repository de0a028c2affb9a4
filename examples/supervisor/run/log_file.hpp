// The log of one container: DIR/NAMESPACE_POD/CONTAINER.log.
#pragma once

#include <string>
#include <string_view>

namespace supervisor {

/// Opened anew for each write, so that a file that was moved away and a folder that was removed are
/// made again. Nothing outside of DIR is ever opened, whatever stands in the place of the folder or
/// the file: no link is followed, and what is no regular file is left alone.
class LogFile {
public:
    /// `folder` and `file` are names, not paths.
    LogFile(std::string directory, std::string folder, std::string file);

    /// Appends `text`; if that is empty, only makes the file. May take as long as the file system
    /// takes. Returns what there is to say: why it did not work, unless no text has been written
    /// since that was said.
    [[nodiscard]] std::string append(std::string_view text);

private:
    std::string directory_;
    std::string folder_;
    std::string file_;
    bool works_ = true;
};

} // namespace supervisor
