#!/bin/sh
# The checks beside this file find what they are for: each is run on a small tree that is right, then with one thing wrong.
#   checks_test.sh WORK_DIR COMPILER
set -eu
here=$(dirname "$(realpath "$0")")
work=$1
compiler=$2
licence='// probekit: health probes for C++ programs. SPDX-License-Identifier: BSL-1.0'
cases=0

header() { # header ROOM/NAME LINE...
    file=$root/include/probekit/$1
    shift
    mkdir -p "$(dirname "$file")"
    printf '%s\n' "$licence" '#pragma once' "$@" >"$file"
}
make_tree() {
    root=$work/tree
    rm -rf "$root"
    mkdir -p "$root/cmake" "$root/include/probekit/http" "$root/include/probekit/async" "$root/include/probekit/probes" "$root/include/probekit/runtime"
    header version.hpp '#define PROBEKIT_VERSION "1"'
    header config.hpp '#define PROBEKIT_ABI v0'
    header core/a.hpp '#include <string>' 'namespace probekit::inline PROBEKIT_ABI {' '/// A size.' '/// \code' \
        '/// a(12).grow();' '/// \endcode' 'struct a { explicit a(int); void grow(); };' '}'
    header core/detail/hidden.hpp '#include <probekit/core/a.hpp>'
    header http/b.hpp '#include <probekit/core/detail/hidden.hpp>'
    header process/c.hpp '#include <sys/wait.h>' '#include <probekit/http/b.hpp> // why'
    header kubernetes/d.hpp '#include <probekit/process/c.hpp>'
    header probekit.hpp '#include <probekit/core/a.hpp>' '#include <probekit/http/b.hpp>' \
        '#include <probekit/process/c.hpp>' '#include <probekit/config.hpp>' '#include <probekit/version.hpp>'
    mkdir -p "$root/docs" "$root/tests/core" "$root/tests/data"
    printf '%s\n' '| | fact | proof |' '| A1 | so | `tests/core/a_test.cpp`: "it is so"; `tests/data/a.json`: one, two-2 |' \
        >"$root/docs/kubelet.md"
    printf '%s\n' 'TEST_CASE(' '    "it "' '    "is so") {' >"$root/tests/core/a_test.cpp"
    printf '%s\n' '{"name":"one"}' '{"name": "two-2"}' >"$root/tests/data/a.json"
    printf '%s\n' '[The picture](a.svg), [there](#below). `core/a.hpp`, `docs/kubelet.md`, `core/`, `detail/`: `a::grow()`.' \
        '`a b`, `*_test.cpp`' >"$root/docs/architecture.md"
    printf '%s\n' '| size | `a` |' >"$root/docs/glossary.md"
    touch "$root/docs/a.svg"
    printf '%s\n' '[a](docs/architecture.md) and [others](https://example.org/a)' >"$root/README.md"
    (cd "$root" && find include -type f | sed 's/^/    /') >"$root/cmake/headers.cmake"
}
run() { # run CHECK
    case $1 in
    no_asio | header_examples) sh "$here/$1.sh" "$root" "$compiler" -isystem "$work/third-party" ;;
    has_example) sh "$here/$1.sh" "$root" a ;;
    *) sh "$here/$1.sh" "$root" ;;
    esac >"$work/output" 2>&1
}
accepts() { # accepts CHECK
    cases=$((cases + 1))
    run "$1" || { echo "$1 refuses a tree that is right:"; cat "$work/output"; exit 1; }
}
refuses() { # refuses CHECK TEXT: and says TEXT
    cases=$((cases + 1))
    if run "$1"; then echo "$1 does not see: $2"; exit 1; fi
    grep -qF -e "$2" "$work/output" || { echo "$1 does not say: $2"; cat "$work/output"; exit 1; }
}

rm -rf "$work"
mkdir -p "$work/third-party/asio"
touch "$work/third-party/asio/buffer.hpp" "$work/third-party/asio/version.hpp" "$work/third-party/asio/awaitable.hpp"
echo 'namespace asio { struct io_context {}; }' >"$work/third-party/asio/io_context.hpp"

make_tree
for check in include_rule header_list umbrella header_form kubelet_facts document_names no_asio header_examples has_example; do accepts $check; done

make_tree; header core/a.hpp '#include <probekit/http/b.hpp>'; refuses include_rule 'core/a.hpp: core may not include'
make_tree; header core/a.hpp '#include <asio/buffer.hpp>'; refuses include_rule 'core may not include <asio/buffer.hpp>'
make_tree; header http/b.hpp '# include  <unistd.h>'; refuses include_rule 'http may not include <unistd.h>'
make_tree; header process/c.hpp '#include <nlohmann/json.hpp>'; refuses include_rule 'process may not include'
make_tree; header process/c.hpp '#include <probekit/kubernetes/d.hpp>'; refuses include_rule 'process may not include'
make_tree; header process/c.hpp '#include "b.hpp"'; refuses include_rule 'not in angle brackets'
make_tree; header testing/e.hpp '#include <probekit/kubernetes/d.hpp>'; refuses include_rule 'testing may not include'
make_tree; header attic/e.hpp; refuses include_rule 'no such room: attic'

make_tree; header core/new.hpp; refuses header_list 'include/probekit/core/new.hpp'
make_tree; rm "$root/include/probekit/core/a.hpp"; refuses header_list 'include/probekit/core/a.hpp'

make_tree; header core/new.hpp; refuses umbrella 'probekit/core/new.hpp'
make_tree; header core/heavy.hpp '// Not in probekit.hpp: it is heavy.'; accepts umbrella
make_tree; header probekit.hpp '#include <probekit/kubernetes/d.hpp>'; refuses umbrella 'probekit/kubernetes/d.hpp'

make_tree; sed -i 1d "$root/include/probekit/core/a.hpp"; refuses header_form 'core/a.hpp:1: not our first line'
make_tree; sed -i 2d "$root/include/probekit/core/a.hpp"; refuses header_form 'core/a.hpp:2: not #pragma once'
make_tree; header core/a.hpp '#define X'; refuses header_form 'core/a.hpp:3: a macro'
make_tree; header core/a.hpp 'namespace other {'; refuses header_form 'core/a.hpp:3: not our namespace'
make_tree; header core/a.hpp 'using namespace std;'; refuses header_form 'core/a.hpp:3: using namespace'
make_tree; header core/a.hpp 'inline auto t() { return std::chrono::steady_clock::now(); }'; refuses header_form 'reads a clock'
make_tree; header core/a.hpp $(seq 1 400); refuses header_form '401 lines'
make_tree; header core/a.hpp $(seq 1 399) '// a comment' '' '/* another */'; accepts header_form

make_tree; echo '| B2 | so too | |' >>"$root/docs/kubelet.md"; refuses kubelet_facts 'no proof of B2'
make_tree; echo 'TEST_CASE("it was so") {' >"$root/tests/core/a_test.cpp"; refuses kubelet_facts 'no test "it is so"'
make_tree; sed -i 1d "$root/tests/data/a.json"; refuses kubelet_facts 'no recording one'
make_tree; rm "$root/tests/core/a_test.cpp"; refuses kubelet_facts 'no such file: tests/core/a_test.cpp'

make_tree; sed -i 's/size/& `width`/' "$root/docs/glossary.md"; refuses document_names 'docs/glossary.md: no header has: width'
make_tree; sed -i 's/grow/shrink/' "$root/docs/architecture.md"; refuses document_names 'no header has: a::shrink()'
make_tree; sed -i 's,core/a,core/b,' "$root/docs/architecture.md"; refuses document_names 'no such file: core/b.hpp'
make_tree; sed -i 's,`core/`,`score/`,' "$root/docs/architecture.md"; refuses document_names 'no such folder: score/'
make_tree; rm "$root/docs/a.svg"; refuses document_names 'docs/architecture.md: no such file: a.svg'
make_tree; sed -i 's,(docs/,(,' "$root/README.md"; refuses document_names 'README.md: no such file: architecture.md'
make_tree; rm "$root/docs/glossary.md"; refuses document_names 'no such page: docs/glossary.md'

make_tree; header core/a.hpp '#include <asio/buffer.hpp>'; refuses no_asio 'third-party/asio/buffer.hpp'

example() { # example LINE...: as the one of core/a.hpp
    make_tree
    for line in "$@"; do printf '/// %s\n' "$line"; done >"$work/example"
    sed -i -e "/a(12)/{r $work/example" -e 'd}' "$root/include/probekit/core/a.hpp"
}
example 'a(12).shrink();'; refuses header_examples 'core/a.hpp:7'
example '' 'a(1);' '' 'a(12).shrink();'; refuses header_examples 'core/a.hpp:10'
example 'a(12l * 3000000000);'; refuses header_examples 'core/a.hpp:7' # a warning
example 'b.grow();'; refuses header_examples 'core/a.hpp:7'
example '// given: a& b, int n' 'while (n-- > 0) b.grow();'; accepts header_examples
example '#include <vector>' 'std::vector<int> io(3);'; accepts header_examples
example 'template <class T> struct b {};'; refuses header_examples 'core/a.hpp:7'
example '// at namespace scope' 'template <class T> struct b {};'; accepts header_examples
make_tree; sed -i '/endcode/d' "$root/include/probekit/core/a.hpp"; refuses header_examples 'core/a.hpp:8: an example without an end'
make_tree; sed -i '/\\code/d' "$root/include/probekit/core/a.hpp"; refuses header_examples 'core/a.hpp:7: the end of no example'
make_tree; sed -i '/a(12)/d' "$root/include/probekit/core/a.hpp"; refuses header_examples 'core/a.hpp:7: an empty example'
make_tree; sed -i '/code/d' "$root/include/probekit/core/a.hpp"; refuses header_examples 'no header has an example'
make_tree; sed -i 's/struct a /struct b /' "$root/include/probekit/core/a.hpp"; refuses has_example 'no example at the head of: a'
make_tree; sed -i 's/^struct a /int x;\n&/' "$root/include/probekit/core/a.hpp"; refuses has_example 'no example at the head of: a'
make_tree; sed -i 's/^struct a /template <class T>\n    requires true\nclass Basica /' "$root/include/probekit/core/a.hpp"; accepts has_example

echo "$cases cases passed"
