#!/bin/sh
# Every header has our form:
#   header_form.sh ROOT
# It begins with the licence and #pragma once, defines no macro (but for config.hpp and version.hpp), begins with our namespace, is at
# most 400 lines long without comments and empty lines, which is a backstop and no measure; and core and http read no clock.
set -eu
cd "$1/include"
errors=$(
    find . -name '*.hpp' | LC_ALL=C sort | while IFS= read -r header; do
        header=${header#./}
        awk -v header="$header" '
            function bad(what) { print header ":" FNR ": " what }
            FNR == 1 && $0 != "// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0" { bad("not our first line") }
            FNR == 2 && $0 != "#pragma once" { bad("not #pragma once") }
            /^[ \t]*#[ \t]*define/ && header !~ /^probekit\/(config|version)\.hpp$/ { bad("a macro") }
            /^[ \t]*using[ \t]+namespace/ { bad("using namespace") }
            /^(inline )?namespace/ && !namespaces++ && !/^namespace probekit::inline PROBEKIT_ABI(::[a-z_]+)* \{$/ { bad("not our namespace") }
            header ~ /^probekit\/(core|http)\// && /::now\(/ { bad("reads a clock") }
            { # a line counts if anything but comments and space is left of it
                line = $0
                while (match(line, /\/\*.*\*\//)) line = substr(line, 1, RSTART - 1) substr(line, RSTART + RLENGTH)
                sub(/\/\/.*/, "", line)
                if (line ~ /[^ \t]/) lines++
            }
            END { if (FNR < 2) bad("empty"); if (lines > 400) bad(lines " lines without comments, more than 400") }
        ' "$header"
    done
)
[ -z "$errors" ] || { echo "$errors"; exit 1; }
