#!/bin/sh
# Fails if a probe costs more than benchmarks/limits.txt allows. The gates compare what can be counted, and so do not
# depend on how fast or busy a machine is: system calls (strace), user instructions (callgrind), heap allocations, and bytes
# per target.
#   benchmarks/gates.sh            prints each figure beside its limit, as a table in Markdown
# Builds what it needs in build/benchmarks. What is given in the environment as PROBEKIT_CMAKE_ARGS goes to CMake.
# `sh cmake/system-packages.sh checks` installs strace and valgrind. Takes a minute or two, building included.
set -eu
cd "$(dirname "$(dirname "$(realpath "$0")")")"
build=build/benchmarks
probe_cost=$build/benchmarks/probe_cost

# attempts LENGTH [TOOL...]: so many attempts of the probe in question, under a tool
attempts() {
    length=$1
    shift
    "$@" $probe_cost --one="$side" --kind="$kind" --host="$host" --port="$port" --in-flight="$in_flight" \
        --warm-up="$warm_up" --count="$length" --close="$close" 2>$build/gates.errors
}
system_calls() {
    attempts "$1" strace -c -o $build/gates.calls >/dev/null
    awk '$1 ~ /^[0-9.]+$/ && $NF != "total" { calls += $4 } END { print calls }' $build/gates.calls
}
instructions() {
    attempts "$1" valgrind --tool=callgrind --callgrind-out-file=/dev/null >/dev/null
    awk '/Collected/ { print $4 }' $build/gates.errors
}
allocations() { attempts "$1" | sed -n 's/.* allocations \([0-9]*\) .*/\1/p'; }

# Other programs that keep the machine busy can only add to what is counted (fewer sockets are ready at once, more of them are open
# at once), so the lowest of three is taken.
lowest() { # lowest COMMAND...
    for attempt in 1 2 3; do "$@"; done | sort -n | head -n 1
}
# Runs of two lengths are counted, so that beginning and end are not; what is between them is divided by its attempts.
each() { # each FUNCTION SHORT LONG
    few=$("$1" "$2")
    many=$("$1" "$3")
    echo "$few" "$many" $(($3 - $2)) | awk '{ printf "%.2f\n", ($2 - $1) / $3 }'
}

measure() { # measure PROBE FIGURE
    in_flight=64 warm_up=64 side=probe host=${ANY_ADDRESS:-127.0.0.1} close=reset
    case $1 in *-refused) side=refused ;; esac
    case $1 in *-loopback*) host=127.0.0.1 ;; esac
    case $1 in *-silent | *-orderly | *-linger) close=${1##*-} ;; esac
    case $1 in
    tcp*-client-port) kind=tcp port=$TCP_CLIENT_PORT ;;
    http*-client-port) kind=http port=$HTTP_CLIENT_PORT ;;
    tcp*) kind=tcp port=$TCP_PORT ;;
    http*) kind=http port=$HTTP_PORT ;;
    exec*) kind=exec port=0 ;;
    esac
    if [ $side = refused ]; then port=1; fi
    case $1/$2 in
    idle-target/bytes) $build/benchmarks/targets --targets=1000000 --bytes-only --columns | cut -f 2 ;;
    idle-target-any/bytes) $build/benchmarks/targets --targets=1000000 --bytes-only --columns | cut -f 3 ;;
    */system-calls) lowest each system_calls 500 2000 ;;
    exec/instructions) in_flight=8 warm_up=8 && lowest each instructions 50 150 ;; # valgrind takes long to start a process
    */instructions) lowest each instructions 1000 3000 ;;
    # Responses are read at once by few of the 64, and buffers are made as more of them come together.
    http/allocations) warm_up=20000 && lowest allocations 2000 ;;
    */allocations) warm_up=1000 && lowest allocations 2000 ;;
    *) echo "no such figure: $1 $2" >&2; return 1 ;;
    esac
}

# Beside the servers: probe_cost comes back here with their ports, in a network of its own where it may have one.
if [ -n "${TCP_PORT:-}" ]; then
    status=0
    row() { printf '| %-25s | %-12s | %9s | %9s | %-9s |\n' "$@"; }
    row probe figure measured "at most" ""
    row ------------------------- ------------ --------: --------: ---------
    while read -r probe figure limit rest; do
        case $probe in '' | '#'*) continue ;; esac
        case $probe in
        tcp | tcp-silent | tcp-client-port)
            if [ -z "${ANY_ADDRESS:-}" ]; then
                row "$probe" "$figure" "" "$limit" "no network namespace to be had"
                continue
            fi
            ;;
        esac
        measured=$(measure "$probe" "$figure" </dev/null) || measured=failed
        verdict=$(echo "$measured" "$limit" | awk '$1 !~ /^[0-9.]+$/ || $1 + 0 > $2 + 0 { print "TOO MUCH" }')
        row "$probe" "$figure" "$measured" "$limit" "$verdict"
        if [ -n "$verdict" ]; then status=1; fi
        if [ "$measured" = failed ]; then cat $build/gates.errors >&2; fi
    done <benchmarks/limits.txt
    exit $status
fi

for tool in strace valgrind; do
    command -v $tool >/dev/null || { echo "$tool is missing: sh cmake/system-packages.sh checks" >&2; exit 1; }
done
mkdir -p $build # for the log
cmake -S . -B $build -G Ninja -DCMAKE_BUILD_TYPE=Release -DPROBEKIT_BUILD_TESTS=OFF -DPROBEKIT_BUILD_EXAMPLES=OFF \
    -DPROBEKIT_INSTALL=OFF -DPROBEKIT_BUILD_BENCHMARKS=ON ${PROBEKIT_CMAKE_ARGS:-} >$build.log
cmake --build $build --target probe_cost targets
exec $probe_cost --run="$0"
