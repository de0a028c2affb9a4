#!/bin/sh
# The examples in the headers' comments compile without a warning:
#   header_examples.sh ROOT COMPILER [FLAG...]
# An example is what stands between `/// \code` and `/// \endcode`. It is taken as the body of a function in a file with
#   #include <probekit/probekit.hpp>    and the header that the example stands in; <chrono>, <cstdio>, <cstdlib>, <iostream>
#   using namespace std::chrono_literals;
#   using namespace probekit;
#   asio::io_context io;
# What else it needs from its surroundings its first line declares, as parameters: `// given: TcpProbe& probe, int signal`.
# Its #include lines go to the head of the file. An example with co_await or co_return is a coroutine; one whose first line
# is `// at namespace scope` stands outside any function.
# The main rooms make one file, and each optional room makes one. A room whose third-party headers are not there is left
# out, and the check says so.
set -eu
root=$(realpath "$1")
shift
cd "$root/include/probekit"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

can_include() { # can_include HEADER COMPILER FLAG...
    header=$1
    shift
    echo "#include <$header>" | "$@" -std=c++20 -fsyntax-only -x c++ - 2>"$work/include_errors"
}

# extract WHAT HEADER: `includes` gives the lines for the head of the file, `code` the examples as functions.
extract() {
    awk -v what="$1" -v header="$2" '
        function bad(text) { print header ":" FNR ": " text >"/dev/stderr"; failed = 1 }
        function finish(  i, line, given, scope) {
            given = "asio::io_context& io"
            scope = first ~ /^ *\/\/ at namespace scope/ ? "namespace" : is_coroutine ? "coroutine" : "function"
            if (match(first, /^ *\/\/ given: /)) given = given ", " substr(first, RLENGTH + 1)
            print "namespace in_example_" ++examples " {"
            print "using namespace std::chrono_literals;\nusing namespace probekit;"
            if (scope == "function") print "void example(" given ") {"
            if (scope == "coroutine") print "asio::awaitable<void> example(" given ") {"
            if (scope != "namespace") print "{" # so that an example may name a variable of its own io
            print "#line " start " \"" header "\"\n" body
            print "#line 1 \"the end of an example\""
            print scope == "namespace" ? "}" : "} } }"
        }
        /^[ \t]*\/\/\/ *[\\@]code/ {
            if (inside) bad("an example begins inside another")
            inside = 1; is_coroutine = 0; body = first = ""; start = FNR + 1
            next
        }
        /^[ \t]*\/\/\/ *[\\@]endcode/ {
            if (!inside) bad("the end of no example")
            if (body == "") bad("an empty example")
            inside = 0
            if (what == "code") finish()
            next
        }
        inside {
            if ($0 !~ /^[ \t]*\/\/\//) { bad("an example without an end"); inside = 0; next }
            sub(/^[ \t]*\/\/\/ ?/, "")
            if (FNR == start) first = $0
            if ($0 ~ /^ *#/) {
                if (what == "includes") print
                $0 = ""
            }
            if ($0 ~ /co_await|co_return/) is_coroutine = 1
            body = body $0 "\n"
        }
        END { if (inside) bad("an example without an end"); exit failed }
    ' "$2"
}

failed=
find . -name '*.hpp' -exec grep -lE '/// *[\\@](end)?code' {} + | sed 's,^\./,,' | LC_ALL=C sort >"$work/headers"
[ -s "$work/headers" ] || { echo "no header has an example"; exit 1; }
for room in main kubernetes tls simulation testing; do
    if [ $room = main ]; then
        headers=$(grep -vE '^(kubernetes|tls|simulation|testing)/' "$work/headers") || continue
    else
        headers=$(grep "^$room/" "$work/headers") || continue
    fi
    case $room in
    kubernetes) third_party=nlohmann/json.hpp ;;
    tls) third_party=openssl/ssl.h ;;
    *) third_party= ;;
    esac
    if [ -n "$third_party" ] && ! can_include $third_party "$@"; then
        echo "left out: $room, as there is no $third_party"
        continue
    fi
    {
        echo '#include <probekit/probekit.hpp>'
        for header in $headers; do echo "#include <probekit/$header>"; done
        echo '#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <asio/awaitable.hpp>
#include <asio/io_context.hpp>'
        for header in $headers; do extract includes "$header"; done
        # Headers apart, so that numbers of lines and names of namespaces are theirs.
        for header in $headers; do
            echo "namespace in_$(echo "${header%.hpp}" | tr '/.-' '___') {"
            extract code "$header" || echo '#error "see above"'
            echo '}'
        done
    } >"$work/$room.cpp"
    "$@" -std=c++20 -Wall -Wextra -Wpedantic -Wconversion -Wno-unused -Wno-unused-parameter -Wunused-result -Werror -DASIO_STANDALONE \
        -I "$root/include" -fsyntax-only "$work/$room.cpp" || failed=1
done
[ -z "$failed" ]
