#!/bin/sh
# Sets everything up, builds the supervisor and runs it on examples/manifests:
#   examples/quickstart.sh [SUPERVISOR_OPTION...]
# Five minutes of the manifests' time pass in half a minute. Works from any folder, as root or with sudo (only for system
# packages that are missing). Leaves nothing outside the checkout.
set -eu
root=$(dirname "$(dirname "$(realpath "$0")")")
cd "$root"

say() { echo "==> $*"; }

sh cmake/system-packages.sh examples
say "configuring and building in build/quickstart"
cmake --preset release -B build/quickstart -DPROBEKIT_BUILD_TESTS=OFF -DPROBEKIT_BUILD_BENCHMARKS=OFF \
    -DPROBEKIT_WARNINGS_AS_ERRORS=OFF
cmake --build build/quickstart --parallel "$(nproc)" --target supervisor demo_app

# Commands and images of the manifests: sleep keeps step with the scaled clock, nginx and demo_app listen on 127.0.0.1.
mkdir -p build/run
cd build/run
PATH=$root/examples/manifests/bin:$root/build/quickstart/examples/demo_app:$PATH
HOST=127.0.0.1
export PATH HOST
set -- --time-scale 10 --duration 5m --image demo-app=demo_app --image nginx=nginx --logs none "$@" \
    "$root"/examples/manifests/*.yaml
say "supervisor $(echo "$*" | sed "s|$root/||g")"
exec "$root/build/quickstart/examples/supervisor/supervisor" "$@"
