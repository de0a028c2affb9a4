#!/bin/sh
# The programs that README and docs/ show compile as they stand, without a warning, and do what the pages say:
#   document_programs.sh ROOT COMPILER [FLAG...]
# A program is a block of C++ with a main function. One with `<!-- runs -->` before it is run and must end well; a block of
# text right after it is what it prints. README has a program.
set -eu
root=$1
shift
cd "$root"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for page in README.md $(find docs -name '*.md'); do
    awk -v prefix="$work/$(echo "${page%.md}" | tr / _)" '
        /^<!-- runs -->$/ { runs = 1; next }
        /^```cpp$/ { inside = "cpp"; text = ""; has_main = 0; next }
        /^```text$/ && program != "" { inside = "text"; text = ""; next }
        /^```$/ && inside == "cpp" {
            if (has_main) {
                program = prefix "_" ++count
                printf "%s", text >(program ".cpp")
                if (runs) print "" >(program ".runs")
            }
            inside = ""
            runs = 0
            next
        }
        /^```$/ && inside == "text" { printf "%s", text >(program ".prints"); inside = program = ""; next }
        inside != "" { text = text $0 "\n"; if (/int main\(/) has_main = 1; next }
        /./ { program = "" }' "$page"
done
[ -s "$work/README_1.cpp" ] || { echo "README.md shows no program"; exit 1; }

cat >"$work/check" <<'CHECK'
set -eu
program=${1%.cpp}
shift
fail() {
    [ ! -s "$program.output" ] || cat "$program.output"
    echo "$(basename "$program"): $1"
    exit 1
}
how=-fsyntax-only
[ ! -e "$program.runs" ] || how="-o $program"
"$@" -std=c++20 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror -DASIO_STANDALONE -I include $how "$program.cpp" \
    -pthread >"$program.output" 2>&1 || fail "does not compile"
[ -e "$program.runs" ] || exit 0
timeout 60 "$program" >"$program.output" 2>&1 || fail "ended with $?"
[ ! -e "$program.prints" ] || cmp -s "$program.output" "$program.prints" || fail "does not print what the page says"
CHECK
ls "$work"/*.cpp | xargs -P 2 -I {} sh "$work/check" {} "$@"
