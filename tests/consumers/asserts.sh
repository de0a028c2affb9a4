#!/bin/sh
# A failed check of the library ends the program, and a program may bring a check of its own. Files of which some check
# and some do not are refused by the linker.
#   asserts.sh COMPILER [FLAG...]
set -eu
sources=$(dirname "$(realpath "$0")")/asserts
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() {
    [ ! -f "$work/output" ] || cat "$work/output"
    echo "$1"
    exit 1
}

# NDEBUG stands for a release build: it does not matter.
"$@" -O2 -DNDEBUG -Wall -Wextra -c "$sources/library.cpp" -o "$work/library.o"
"$@" -O2 -DNDEBUG -Wall -Wextra -DPROBEKIT_ENABLE_ASSERTS -c "$sources/library.cpp" -o "$work/library_checked.o"

build() { # build LIBRARY COMPILER [FLAG...]: the program with this library
    library=$1
    shift
    "$@" -O2 -DNDEBUG -Wall -Wextra "$sources/program.cpp" "$work/$library" -o "$work/program" >"$work/output" 2>&1
}

build library_checked.o "$@" -DPROBEKIT_ENABLE_ASSERTS || fail 'the program that checks does not build'
"$work/program" correct >"$work/output" 2>&1 || fail 'a check fails without a mistake'
status=0
(ulimit -c 0; "$work/program"; exit $?) >"$work/output" 2>&1 || status=$?
[ "$status" = 134 ] || fail "the program with a mistake ended with $status, not with SIGABRT"
grep -q 'timing_wheel\.hpp:[0-9]*: probekit: assertion failed: !node\.linked()$' "$work/output" ||
    fail 'the message does not say what has failed'

build library_checked.o "$@" -DOWN_ASSERT || fail 'the program with a check of its own does not build'
status=0
"$work/program" >"$work/output" 2>&1 || status=$?
[ "$status" = 3 ] || fail "the program with a check of its own ended with $status, not with 3"
grep -qx "the program's own: !node\.linked()" "$work/output" || fail 'the own check did not get the condition'

build library.o "$@" || fail 'the program that does not check does not build'
"$work/program" correct >"$work/output" 2>&1 || fail 'the program that does not check fails'
for mixed in "library.o -DPROBEKIT_ENABLE_ASSERTS" "library.o -DOWN_ASSERT" "library_checked.o -DNDEBUG"; do
    if build "${mixed% *}" "$@" "${mixed#* }"; then fail "files that differ in their checks link: $mixed"; fi
    grep -q 'insert(probekit::v0' "$work/output" || fail "they differ, but that is not why they do not link: $mixed"
done
