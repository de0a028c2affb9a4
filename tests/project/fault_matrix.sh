#!/bin/sh
# docs/faults.md has at least 60 faults, and names for each a test that exists:
#   fault_matrix.sh ROOT
# A fault is a row that begins with a number. It ends with the `FILE` of its test, the test's name in quotes, and perhaps
# a comma and what stands for this fault in the test: a section, a row of its table, or a text it compares with.
set -eu
cd "$1"
page=docs/faults.md
faults=$(grep -cE '^\| [0-9]+ \|' "$page")
errors=$(
    grep -E '^\| [0-9]+ \|' "$page" | while IFS= read -r row; do
        fault=$(echo "$row" | cut -d '|' -f 2,3)
        proof=$(echo "$row" | sed -nE 's/.* `(tests\/[^`]+)`: "([^"]+)"(, "([^"]+)")? \|$/\1|\2|\4/p')
        file=${proof%%|*}
        names=${proof#*|}
        if [ -z "$proof" ] || [ ! -f "$file" ]; then
            echo "$fault: no test"
            continue
        fi
        # The text of its own stands behind the test's name, before the next test.
        # A long name may be written in several pieces.
        sed -z 's/"\n *"//g; s/TEST_CASE(\n */TEST_CASE(/g' "$file" | awk -v name="${names%%|*}" -v own="${names#*|}" '
            index($0, "TEST_CASE(\"" name "\"") { inside = found = 1 }
            inside && /^}/ { inside = 0 }
            inside && index($0, own) { shown = 1 }
            END { exit !(found && (own == "" || shown)) }' || echo "$fault: $file has no such test"
    done
)
[ -z "$errors" ] || { echo "$errors"; exit 1; }
[ "$faults" -ge 60 ] || { echo "only $faults faults"; exit 1; }
echo "$faults faults, each with its test"
