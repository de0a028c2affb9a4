#!/bin/sh
# Builds the fuzz targets and runs each with its corpus:
#   tests/fuzz/run.sh               half a minute each
#   tests/fuzz/run.sh 3600          an hour each
#   tests/fuzz/run.sh 600 url       one of them, or several as one argument: docs/testing.md has a list
# An input that takes 20 seconds, which is long under sanitizers too, or a gigabyte is a finding.
# With FUZZ_SEED=N in the environment each run tries the same inputs; without, others every time.
# With FUZZ_ALONE=1 our parser is not compared with others: they may differ for reasons of their own, which is for people to judge.
# Fails if a target finds something: the input is then in build/fuzz/findings. To see it again, run the target with that
# file as its argument. Inputs that reach new code stay in build/fuzz/corpus for the next run.
set -eu
root=$(dirname "$(dirname "$(dirname "$(realpath "$0")")")")
cd "$root"
seconds=${1:-30}

compiler=clang++-16
command -v $compiler >/dev/null || compiler=clang++
peers=ON
[ "${FUZZ_ALONE:-0}" = 0 ] || peers=OFF
cmake --preset fuzz -DCMAKE_CXX_COMPILER="$compiler" -DPROBEKIT_FUZZ_PEERS=$peers ${PROBEKIT_CMAKE_ARGS:-}
targets=${2:-$(cat build/fuzz/tests/fuzz/targets)} # those that can be built here
cmake --build build/fuzz --parallel "$(nproc)" --target $(printf '%s_fuzz ' $targets)

mkdir -p build/fuzz/findings
status=0
# As many at once as there are processors.
for target in $targets; do echo "$target"; done | xargs -P "$(nproc)" -n 1 sh -c '
    seconds=$0 target=$1
    mkdir -p "build/fuzz/corpus/$target"
    dictionary=tests/fuzz/dictionaries/$target.dict
    [ -f "$dictionary" ] && set -- "-dict=$dictionary" || set --
    "build/fuzz/tests/fuzz/${target}_fuzz" -max_total_time="$seconds" -seed="${FUZZ_SEED:-0}" -timeout=20 -rss_limit_mb=1024 -print_final_stats=1 \
        "-artifact_prefix=build/fuzz/findings/$target-" "$@" \
        "build/fuzz/corpus/$target" "tests/fuzz/corpus/$target" >"build/fuzz/$target.log" 2>&1
    status=$?
    executions=$(sed -n "s/^stat::number_of_executed_units: *//p" "build/fuzz/$target.log")
    if [ $status -eq 0 ]; then
        echo "==> $target: $executions executions, nothing found"
    else
        tail -n 40 "build/fuzz/$target.log"
        echo "==> $target: FOUND SOMETHING after $executions executions"
        exit 1
    fi
' "$seconds" || status=1
exit $status
