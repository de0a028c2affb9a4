// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
// A wall clock that is set, under libfaketime, while a worker runs: no check comes earlier, later
// or twice.
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <unistd.h>

#include <asio/io_context.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>

#include <probekit/probes/function_probe.hpp>
#include <probekit/runtime/probe_worker.hpp>

#include "../tools/program.hpp"
#include "../tools/temporary_folder.hpp"

using namespace probekit;
using namespace std::chrono_literals;

namespace {

std::string faketime_library() {
    for (const char* const folder :
         {"/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64"})
        if (const std::string file = std::string{folder} + "/faketime/libfaketimeMT.so.1";
            std::filesystem::exists(file))
            return file;
    return {};
}

} // namespace

// The case below runs this one as a program of its own, with the jump in the environment.
TEST_CASE("attempts go on while the wall clock is set", "[.]") {
    const char* const file = std::getenv("FAKETIME_TIMESTAMP_FILE");
    if (file == nullptr)
        SKIP("the case below runs it"); // a file's name as a tag finds hidden cases, too
    const std::string jump = std::getenv("PROBEKIT_TEST_JUMP");
    asio::io_context io;
    const auto wall_before = std::chrono::system_clock::now();
    const auto steady_before = std::chrono::steady_clock::now();
    constexpr Duration period = 10ms;
    std::vector<std::chrono::steady_clock::time_point> attempts;
    ProbeWorker worker{FunctionProbe{io,
                                     [&] {
                                         attempts.push_back(std::chrono::steady_clock::now());
                                         if (attempts.size() == 5) std::ofstream{file} << jump;
                                         if (attempts.size() == 20) io.stop();
                                         return true;
                                     }},
                       ProbeSpec{.period = period}};
    worker.start();
    io.run_for(60s);
    CHECK(attempts.size() == 20);
    const auto wall = std::chrono::system_clock::now() - wall_before;
    CHECK((wall > 1800s || wall < -1800s)); // it did jump
    CHECK(std::chrono::steady_clock::now() - steady_before < 60s);
    // An attempt may be late, but never early: the jump brought none forward.
    for (std::size_t n = 0; n != attempts.size(); ++n)
        CHECK(attempts[n] - steady_before >= n * period);
    CHECK(worker.snapshot().run == 20);
}

TEST_CASE("a wall clock that is set forwards or backwards changes nothing") {
    const std::string library = faketime_library();
    if (library.empty()) SKIP("needs libfaketime");
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
    SKIP("a sanitizer must be the first library");
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
    SKIP("a sanitizer must be the first library");
#endif
#endif
    const std::string jump = GENERATE("+3600", "-3600");
    const tools::TemporaryFolder folder;
    const std::string file = folder.file("faketime", "+0");
    tools::Program again{
        {.command = {std::filesystem::read_symlink("/proc/self/exe").string(),
                     "attempts go on while the wall clock is set"},
         .environment = {"LD_PRELOAD=" + library, "FAKETIME_TIMESTAMP_FILE=" + file,
                         "FAKETIME_NO_CACHE=1", "FAKETIME_DONT_FAKE_MONOTONIC=1",
                         "PROBEKIT_TEST_JUMP=" + jump}}};
    const std::string said = again.output().rest();
    CAPTURE(said);
    CHECK(again.wait() == 0);
}
