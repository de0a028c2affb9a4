#!/bin/sh
# What users begin with has an example in the comment before its declaration:
#   has_example.sh ROOT NAME...
# NAME: a class, a function or a concept. For a template `BasicNAME` that users name by an alias, the template's comment counts.
set -eu
cd "$1/include/probekit"
shift
# The names of all declarations whose comment has an example.
with_example=$(find . -name '*.hpp' ! -path '*/detail/*' -exec awk '
    FNR == 1 { has = 0 }
    /^[ \t]*\/\/\/ *[\\@]code/ { has = 1 }
    /^[ \t]*\/\/\// || !has { next }
    {
        line = $0
        sub(/^template <[^>]*> */, "", line)
        if (match(line, /^(class|struct|concept|using) +[A-Za-z_0-9]+/)) {
            name = substr(line, RSTART, RLENGTH)
            sub(/^[a-z]+ +/, "", name)
            print name
            has = 0
        } else if (match(line, /[a-z_0-9]+\(/) && line !~ /^ *(requires|template)/) {
            print substr(line, RSTART, RLENGTH - 1)
            has = 0
        } else if (line ~ /[;}]$/) {
            has = 0
        }
    }' {} +)
missing=
for name in "$@"; do
    echo "$with_example" | grep -qxE "(Basic)?$name" || missing="$missing $name"
done
[ -z "$missing" ] || { echo "no example at the head of:$missing"; exit 1; }
