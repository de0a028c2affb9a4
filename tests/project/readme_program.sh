#!/bin/sh
# The first program that README shows compiles as it stands, without a warning:
#   readme_program.sh ROOT COMPILER [FLAG...]
set -eu
root=$1
shift
program=$(awk '/^```cpp$/ { inside = 1; next } /^```$/ && inside { exit } inside' "$root/README.md")
printf '%s\n' "$program" | grep -q 'int main()'
printf '%s\n' "$program" | "$@" -std=c++20 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -DASIO_STANDALONE \
    -I "$root/include" -fsyntax-only -x c++ -
