#!/bin/sh
# docs/kubelet.md names tests and recordings that exist, and no fact without one:
#   kubelet_facts.sh ROOT
# A fact is a row of a table whose first column is a letter and a number. A proof is `FILE`: followed by the name of a test
# in quotes, or by names of recorded cases with commas between them, or by the word all.
set -eu
cd "$1"
page=docs/kubelet.md
errors=$(
    grep -E '^\| [A-Z][0-9]+ \|' "$page" | grep -vE '`tests/[^`]+`: ' | sed 's/ |.*//; s/^| /no proof of /'
    grep -oE '`tests/[^`]+`: ("[^"]+"|[a-zA-Z0-9, -]+)' "$page" | LC_ALL=C sort -u |
        while IFS= read -r proof; do
            file=${proof#?}
            file=${file%%\`*}
            names=${proof#*: }
            if [ ! -f "$file" ]; then
                echo "no such file: $file"
                continue
            fi
            case $file in
            *.json)
                [ "$names" = "all" ] || [ "$names" = "all " ] && continue
                echo "$names" | tr ',' '\n' | sed 's/^ *//; s/ *$//' | while IFS= read -r name; do
                    grep -qE "\"name\": *\"$name\"" "$file" || echo "$file: no recording $name"
                done
                ;;
            *) # a long name may be written in several pieces
                tr '\n' ' ' <"$file" | sed 's/" *"//g; s/TEST_CASE( */TEST_CASE(/g' | grep -qF "TEST_CASE($names" ||
                    echo "$file: no test $names"
                ;;
            esac
        done
)
facts=$(grep -cE '^\| [A-Z][0-9]+ \|' "$page")
[ -z "$errors" ] || { echo "$errors"; exit 1; }
[ "$facts" -gt 0 ]
echo "$facts facts, each with its proof"
