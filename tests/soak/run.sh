#!/bin/sh
# Very many attempts under faults that come at random; fails if memory, descriptors, threads or children have grown:
#   tests/soak/run.sh                           1,000,000 by TCP, 1,000,000 by HTTP, 100,000 commands: 10 to 30 minutes
#   tests/soak/run.sh TCP HTTP EXEC [SEED]      so many; a seed repeats the order of the faults, not their moments
set -eu
cd "$(dirname "$(dirname "$(dirname "$(realpath "$0")")")")"
if [ $# -eq 0 ]; then set -- 1000000 1000000 100000; fi
cmake -S . -B build/soak -G Ninja -DCMAKE_BUILD_TYPE=Release -DPROBEKIT_BUILD_EXAMPLES=OFF -DPROBEKIT_BUILD_BENCHMARKS=OFF \
    -DPROBEKIT_INSTALL=OFF -DPROBEKIT_TEST_ROOMS=soak ${PROBEKIT_CMAKE_ARGS:-}
cmake --build build/soak --target soak
exec build/soak/tests/soak/soak "$@"
