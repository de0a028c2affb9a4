#!/bin/sh
# Sets everything up, builds the tests and runs them:
#   tests/run.sh              all tests, the quick way
#   tests/run.sh asan         under AddressSanitizer and UndefinedBehaviorSanitizer
#   tests/run.sh tsan         under ThreadSanitizer, those that may have threads
#   tests/run.sh all          one after the other
# Works from any folder, as root or with sudo (only for system packages that are missing). Leaves nothing outside the
# checkout. What is given in the environment as PROBEKIT_CMAKE_ARGS goes to CMake.
set -eu
root=$(dirname "$(dirname "$(realpath "$0")")")
cd "$root"

say() { echo "==> $*"; }
usage() { sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$root/tests/run.sh"; }

case ${1:-dev} in
dev | asan | tsan) presets=${1:-dev} ;;
all) presets="dev asan tsan" ;;
*) usage >&2; exit 2 ;;
esac

# clang compiles our sanitized tests several times faster.
compiler_for() {
    if [ "$1" != dev ] && command -v clang++-16; then return; fi
    echo "${CXX:-g++}"
}

run_tests() { # run_tests PRESET
    compiler=$(compiler_for "$1")
    say "configuring and building in build/$1 with $compiler"
    # Line numbers are all that a failure shows; a seventh of the time to compile goes into the rest.
    cmake --preset "$1" -DCMAKE_CXX_COMPILER="$compiler" -DCMAKE_CXX_FLAGS_DEBUG=-g1 -DPROBEKIT_WARNINGS_AS_ERRORS=OFF \
        ${PROBEKIT_CMAKE_ARGS:-}
    cmake --build --preset "$1" --parallel "$(nproc)"
    say "running the tests in build/$1"
    ctest --preset "$1" --parallel "$(nproc)"
}

sh cmake/system-packages.sh examples tests
for preset in $presets; do run_tests "$preset"; done
