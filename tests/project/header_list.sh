#!/bin/sh
# cmake/headers.cmake names exactly the headers there are:
#   header_list.sh ROOT
set -eu
cd "$1"
listed=$(sed -n 's/^    \(include\/.*\.hpp\)$/\1/p' cmake/headers.cmake | LC_ALL=C sort)
existing=$(find include -type f | LC_ALL=C sort)
[ "$listed" = "$existing" ] && exit
echo "cmake/headers.cmake and the headers differ; seen on one side only:"
printf '%s\n%s\n' "$listed" "$existing" | LC_ALL=C sort | uniq -u
exit 1
