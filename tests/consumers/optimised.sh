#!/bin/sh
# A program that uses our values compiles without a warning however much its compiler sees at once: g++ warns of values that
# may be uninitialised where it inlines, and differently so under sanitizers.
#   optimised.sh COMPILER [FLAG...]
set -eu
source=$(dirname "$(realpath "$0")")/optimised.cpp
for flags in -O3 "-O3 -fsanitize=undefined"; do
    "$@" $flags -Wall -Wextra -Werror -c "$source" -o /dev/null || { echo "warnings with $flags"; exit 1; }
done
