#!/bin/sh
# The programs that README and docs/ show compile as they stand, without a warning:
#   readme_program.sh ROOT COMPILER [FLAG...]
# A program is a block of C++ with a main function. README has one.
set -eu
root=$1
shift
cd "$root"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for page in README.md docs/*.md; do
    awk -v prefix="$work/$(basename "$page" .md)" '
        /^```cpp$/ { inside = 1; program = ""; has_main = 0; next }
        /^```$/ && inside { if (has_main) printf "%s", program >(prefix "_" ++count ".cpp"); inside = 0 }
        inside { program = program $0 "\n"; if (/int main\(/) has_main = 1 }' "$page"
done
[ -s "$work/README_1.cpp" ] || { echo "README.md shows no program"; exit 1; }
for program in "$work"/*.cpp; do
    "$@" -std=c++20 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -DASIO_STANDALONE -I include -fsyntax-only \
        "$program"
done
