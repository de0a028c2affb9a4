#!/bin/sh
# clang-tidy finds nothing in the headers:
#   tidy.sh ROOT CLANG_TIDY [FLAG...]
set -eu
root=$1
tidy=$2
shift 2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
(cd "$root/include" && find probekit -name '*.hpp' ! -path '*/impl/*' | sort | sed 's/.*/#include <&>/') >"$work/all.cpp"
"$tidy" --quiet "--config-file=$root/.clang-tidy" "$work/all.cpp" -- -std=c++20 -DASIO_STANDALONE -DASIO_HAS_CO_AWAIT \
    -DASIO_HAS_STD_COROUTINE "-I$root/include" "$@" 2>"$work/errors" || {
    cat "$work/errors"
    exit 1
}
