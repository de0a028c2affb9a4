// What the supervisor reads of processes, also of those that end meanwhile.
#include <string>

#include <unistd.h>

#include <catch2/catch_test_macros.hpp>

#include "run/process_table.hpp"

using namespace supervisor;

TEST_CASE("a file that can be opened and not be read is empty") {
    // As the files of a process that has been reaped since.
    CHECK(readable_part("/proc/self/mem").empty());
    CHECK(readable_part("/").empty());
    CHECK(readable_part("/no/such/file").empty());
    CHECK_FALSE(readable_part("/proc/self/stat").empty());
}

TEST_CASE("a process is known by when it started") {
    CHECK(start_time(::getpid()) == start_time(::getpid()));
    CHECK(std::stoull(start_time(::getpid())) > 0);
    CHECK(start_time(-1).empty());
}
