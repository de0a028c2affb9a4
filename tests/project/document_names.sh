#!/bin/sh
# What the documents name exists:
#   document_names.sh ROOT
# - a path in backquotes in docs/architecture.md, from the root or from include/probekit/, is a file or a folder;
# - an identifier of the library in backquotes there or in docs/glossary.md stands in a header: `Type`, `Type::member`,
#   `some_function`, `some_function()`;
# - a link to a file in a Markdown page leads to one.
set -eu
cd "$1"
words=$(mktemp)
trap 'rm -f "$words"' EXIT
find include -name '*.hpp' -exec cat {} + | tr -cs 'A-Za-z0-9_' '\n' | sort -u >"$words"

errors=$(
    for page in docs/architecture.md docs/glossary.md; do
        [ -s "$page" ] || { echo "no such page: $page"; continue; }
        grep -o '`[^`]*`' "$page" | tr -d '`' | sort -u | while IFS= read -r name; do
            case $name in
            *' '* | '*'* | *.h | '') ;; # code, or a pattern
            [!/]*/) # a folder, wherever it stands
                [ -d "$name" ] || [ -d "include/probekit/$name" ] ||
                    find include examples -type d -path "*/${name%/}" 2>/dev/null | grep -q . ||
                    echo "$page: no such folder: $name"
                ;;
            */* | *.hpp | *.md | *.sh)
                [ -e "$name" ] || [ -e "include/probekit/$name" ] || echo "$page: no such file: $name"
                ;;
            *[!A-Za-z0-9_:.\(\)]*) ;;
            *)
                for word in $(echo "$name" | tr -cs 'A-Za-z0-9_' ' '); do
                    grep -qx "$word" "$words" || echo "$page: no header has: $name"
                done
                ;;
            esac
        done
    done
    for page in README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md packaging/*.md docs/*.md docs/how-to/*.md; do
        [ -e "$page" ] || continue
        grep -o ']([^)#][^)]*)' "$page" | sed 's/^](//; s/)$//; s/#.*//' | sort -u | while IFS= read -r link; do
            case $link in
            *://* | *' '*) ;;
            *) [ -e "$(dirname "$page")/$link" ] || echo "$page: no such file: $link" ;;
            esac
        done
    done
)
[ -z "$errors" ] || { echo "$errors"; exit 1; }
