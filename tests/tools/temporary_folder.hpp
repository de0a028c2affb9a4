// A folder of a test's own.
#pragma once

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <system_error>

#include <stdlib.h>

namespace tools {

/// A folder that goes with its files. Other users may look into it.
class TemporaryFolder {
public:
    TemporaryFolder() {
        std::string name = (std::filesystem::temp_directory_path() / "probekit-XXXXXX").string();
        if (::mkdtemp(name.data()) == nullptr)
            throw std::system_error{errno, std::generic_category(), "mkdtemp"};
        path_ = name;
        std::filesystem::permissions(path_, std::filesystem::perms{0755});
    }
    TemporaryFolder(const TemporaryFolder&) = delete;
    TemporaryFolder& operator=(const TemporaryFolder&) = delete;
    ~TemporaryFolder() {
        std::error_code ignored;
        std::filesystem::remove_all(path_, ignored);
    }

    [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }

    /// Makes a file, and the folders on the way to it; gives its path.
    std::string file(const std::string& name, std::string_view text, unsigned mode = 0644) const {
        const std::filesystem::path whole = path_ / name;
        std::filesystem::create_directories(whole.parent_path());
        std::ofstream{whole, std::ios::binary} << text;
        std::filesystem::permissions(whole, std::filesystem::perms{mode});
        return whole.string();
    }

private:
    std::filesystem::path path_;
};

} // namespace tools
