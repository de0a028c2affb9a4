// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0
// leave_group GROUP: joins another process group, says so with one byte, and stays until it is
// killed.
#include <cstdlib>
#include <unistd.h>

int main(int argc, char** argv) {
    if (argc != 2 || ::setpgid(0, std::atoi(argv[1])) != 0 || ::write(1, "\n", 1) != 1) return 1;
    for (;;) ::pause();
}
