// The log files of containers: what stands in their place is not written to.
#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>

#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include "contents.hpp"
#include "run/log_file.hpp"
#include "temporary_folder.hpp"

using supervisor::LogFile;
using tools::contents;
namespace fs = std::filesystem;

namespace {

struct Logs {
    tools::TemporaryFolder folder;
    fs::path directory = folder.path() / "logs/of/all";
    fs::path pod = directory / "default_web";
    fs::path path = pod / "main.log";
    fs::path outside = folder.path() / "outside";
    LogFile file{directory.string(), "default_web", "main.log"};

    [[nodiscard]] std::string said(const std::string& why) const {
        return path.string() + ": " + why + ": what its container prints is not kept";
    }
};

} // namespace

TEST_CASE("a log is appended to, with its folders made, and made again when they were removed") {
    Logs logs;
    CHECK(logs.file.append("one\n").empty());
    CHECK(logs.file.append("two").empty());
    CHECK(contents(logs.path) == "one\ntwo");
    const int levels = GENERATE(0, 1, 2, 3, 4); // the file, and the folders above it
    fs::path gone = logs.path;
    for (int level = 0; level != levels; ++level) gone = gone.parent_path();
    fs::rename(gone, logs.outside);
    CHECK(logs.file.append("three").empty());
    CHECK(contents(logs.path) == "three");
}

TEST_CASE("what stands in the place of a log and is no regular file is left alone, and said once") {
    Logs logs;
    fs::create_directories(logs.pod);
    std::ofstream{logs.outside} << "untouched";
    switch (GENERATE(0, 1, 2, 3, 4)) {
    case 0: REQUIRE(::mkfifo(logs.path.c_str(), 0600) == 0); break;
    case 1: fs::create_symlink(logs.outside, logs.path); break;
    case 2: fs::create_symlink(logs.folder.path() / "new", logs.path); break;
    case 3: fs::create_directory(logs.path); break;
    case 4:
        if (::mknod(logs.path.c_str(), S_IFCHR | 0600, makedev(1, 3)) != 0)
            SKIP("needs the right to make devices");
        break;
    }
    CHECK(logs.file.append("a") == logs.said("not a regular file"));
    CHECK(logs.file.append("b").empty());
    CHECK(contents(logs.outside) == "untouched");
    CHECK_FALSE(fs::exists(logs.folder.path() / "new"));

    fs::remove(logs.path);
    CHECK(logs.file.append("c").empty());
    CHECK(contents(logs.path) == "c");
    fs::remove(logs.path);
    fs::create_directory(logs.path);
    CHECK(logs.file.append("d") == logs.said("not a regular file")); // it had worked since
}

TEST_CASE("a link in the place of a pod's folder leads nowhere") {
    Logs logs;
    fs::create_directories(logs.directory);
    fs::create_directory(logs.outside);
    const bool to_file = GENERATE(false, true);
    if (to_file)
        std::ofstream{logs.pod} << "untouched";
    else
        fs::create_directory_symlink(logs.outside, logs.pod);
    CHECK(logs.file.append("a") ==
          logs.pod.string() + ": Not a directory: what its container prints is not kept");
    CHECK(logs.file.append("b").empty());
    CHECK(fs::is_empty(logs.outside));
    CHECK((!to_file || contents(logs.pod) == "untouched"));
}

TEST_CASE("a log that has no room is said once, though it can still be opened") {
    Logs logs;
    rlimit before = {};
    REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
    rlimit small = before;
    small.rlim_cur = 4;
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &small) == 0);
    const std::string first = logs.file.append("12345");
    const std::string empty = logs.file.append(""); // as when its container starts again
    const std::string again = logs.file.append("6");
    REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
    std::signal(SIGXFSZ, handler);
    CHECK(first == logs.said("File too large"));
    CHECK(empty.empty());
    CHECK(again.empty());
    CHECK(contents(logs.path) == "1234");
    CHECK(logs.file.append("7").empty());
    CHECK(contents(logs.path) == "12347");
}

TEST_CASE("a name that is too long for the file system is said, with the reason") {
    const tools::TemporaryFolder folder;
    LogFile file{folder.path().string(), std::string(300, 'a'), "c.log"};
    CHECK(file.append("a").find(": File name too long: ") != std::string::npos);
    CHECK(fs::is_empty(folder.path()));
}
