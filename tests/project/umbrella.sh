#!/bin/sh
# probekit.hpp includes every public header of the main rooms:
#   umbrella.sh ROOT
# Not those of detail/ and impl/ folders, which public headers include, nor optional rooms, nor those that say why not.
set -eu
cd "$1/include"
public=$(find probekit/config.hpp probekit/version.hpp probekit/core probekit/http probekit/async probekit/process probekit/probes probekit/runtime \
    -name '*.hpp' ! -path '*/detail/*' ! -path '*/impl/*' -exec grep -L '^// Not in probekit.hpp: ' {} + | LC_ALL=C sort)
included=$(sed -n 's/^#include <\(probekit\/.*\)>$/\1/p' probekit/probekit.hpp | LC_ALL=C sort)
[ "$public" = "$included" ] && exit
echo "probekit.hpp and the public headers differ; seen on one side only:"
printf '%s\n%s\n' "$public" "$included" | LC_ALL=C sort | uniq -u
exit 1
