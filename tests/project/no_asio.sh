#!/bin/sh
# What the headers of core and http include, all the way down, is no Asio, even where Asio is at hand:
#   no_asio.sh ROOT COMPILER [FLAG...]
# FLAG: what makes Asio reachable, if it does not lie in a folder the compiler looks into anyway.
set -eu
cd "$1/include"
shift
echo '#include <asio/version.hpp>' | "$@" -M -x c++ - >/dev/null # else the test could not fail
headers=$(find probekit/core probekit/http -name '*.hpp' | sed 's/.*/#include <&>/')
[ -n "$headers" ]
depends=$(echo "$headers" | "$@" -std=c++20 -I . -M -x c++ -)
if echo "$depends" | tr -s ' ' '\n' | grep -E '/asio(/|\.hpp)'; then
    echo "a header of core or http brings these with it"
    exit 1
fi
