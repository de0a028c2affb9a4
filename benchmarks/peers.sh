#!/bin/sh
# What do others take for a check? HAProxy's checks, monit, the Prometheus blackbox exporter, and curl in a shell as container
# health commands do it; beside probekit on the same targets and the same server, one after the other, in turns:
#   benchmarks/peers.sh [ROUNDS]           3 rounds by default; prints a table in Markdown
# The peers' packages are fetched and unpacked in build/peers, not installed, so no service is started. They run with
# configurations of their own in a network of their own, and are stopped by their process id. What is in the environment as
# PROBEKIT_CMAKE_ARGS goes to CMake. Takes two minutes a round, and two more.
set -eu
cd "$(dirname "$(dirname "$(realpath "$0")")")"
rounds=${1:-3}
work=$PWD/build/peers
bench=$PWD/build/benchmarks/benchmarks
PATH=$work/root/usr/sbin:$work/root/usr/bin:$PATH:/usr/sbin

fetch() {
    packages=
    for package in haproxy monit prometheus-blackbox-exporter curl; do
        command -v $package >/dev/null || packages="$packages $package"
    done
    [ -n "$packages" ] || return 0
    command -v apt-get >/dev/null || { echo "left out, since they are not there:$packages" >&2; return 0; }
    mkdir -p "$work/packages/partial" "$work/root"
    # Without recommended packages, but with the libraries that they need and this machine has not.
    download() {
        apt-get -q -y -o Dir::Cache::archives="$work/packages" -o Debug::NoLocking=1 -o APT::Sandbox::User=root \
            --no-install-recommends --download-only install $packages
    }
    if ! download >"$work/apt.log" 2>&1; then
        if [ "$(id -u)" = 0 ]; then apt-get -q update; else sudo apt-get -q update; fi >"$work/apt.log" 2>&1
        download >"$work/apt.log" 2>&1 || { cat "$work/apt.log" >&2; exit 1; }
    fi
    for package in "$work"/packages/*.deb; do dpkg-deb -x "$package" "$work/root"; done
}

if [ -z "${TCP_PORT:-}" ]; then
    mkdir -p "$work"
    fetch
    cmake -S . -B build/benchmarks -G Ninja -DCMAKE_BUILD_TYPE=Release -DPROBEKIT_BUILD_TESTS=OFF \
        -DPROBEKIT_BUILD_EXAMPLES=OFF -DPROBEKIT_INSTALL=OFF -DPROBEKIT_BUILD_BENCHMARKS=ON ${PROBEKIT_CMAKE_ARGS:-} \
        >build/benchmarks.log
    cmake --build build/benchmarks --target fleet probe_cost >>build/benchmarks.log
    exec "$bench/probe_cost" --run="$0 $rounds"
fi

# From here on beside the servers, in a network of their own: all connections that are begun in it are checks.
[ -n "${ANY_ADDRESS:-}" ] || { echo "needs a network namespace, as root or where users may have one" >&2; exit 1; }
LD_LIBRARY_PATH=$(find "$work/root/usr/lib" -maxdepth 1 -type d -name '*-linux-gnu*' 2>/dev/null | paste -s -d :)
export LD_LIBRARY_PATH
ulimit -n "$(ulimit -H -n)"
ticks=$(getconf CLK_TCK)
window=4
pid=
trap 'if [ -n "$pid" ]; then kill "$pid" 2>/dev/null || true; fi' EXIT
trap 'exit 130' INT TERM

addresses() { # addresses COUNT: as the fleet has them
    awk -v count="$1" 'BEGIN {
        for (i = 1; i <= count; ++i) printf "10.%d.%d.%d\n", i / 65536, i / 256 % 256, i % 256 }'
}
has() { command -v "$1" >/dev/null; }

# The servers have the last core.
on_first_core=
if has taskset; then
    on_first_core="taskset -c $(awk '/^Cpus_allowed_list/ { split($2, part, /[-,]/); print part[1] }' /proc/self/status)"
fi
begin() { # begin COMMAND...: sets pid
    $on_first_core "$@" >"$work/out" 2>"$work/errors" &
    pid=$!
}
end() {
    kill "$pid"
    { wait "$pid" || true; } 2>/dev/null
    pid=
}

running() { kill -0 "$pid" 2>/dev/null || { cat "$work/errors" >&2; exit 1; }; }
cpu_us() { awk -v ticks="$ticks" '{ sub(/.*\) /, ""); print ($12 + $13) * 1000000 / ticks }' "/proc/$pid/stat"; }
resident_kib() { awk '/^VmRSS/ { print $2 }' "/proc/$pid/status"; }
connections() { awk '/^Tcp: [0-9]/ { print $6 }' /proc/net/snmp; } # begun in this network so far
# Targets that failed in the run that has just ended: a failed check has another cost.
complain() {
    sed -n 's/^attempts .* passing \([0-9]*\) targets \([0-9]*\) .*/\1 \2/p' "$work/out" |
        awk '$1 < $2 { print "probekit: " $2 - $1 " of " $2 " targets did not pass" }' >&2
    awk '/is DOWN/ { ++down } END { if (down) print "HAProxy: " down " targets were down" }' "$work/errors" >&2
}

# What is running: CPU microseconds a check, checks a second, and resident KiB
watch() {
    sleep 2 # to begin, and to settle
    running
    cpu=$(cpu_us) checks=$(connections)
    sleep $window
    echo "$cpu $(cpu_us) $checks $(connections) $(resident_kib)" |
        awk -v window=$window '{ checks = $4 - $3; print checks ? ($2 - $1) / checks : 0, checks / window, $5 }'
}

# start_NAME KIND COUNT
start_probekit() {
    case $1 in
    silent) begin "$bench/fleet" --kind=tcp --port="$port" --targets="$2" ;;
    tcp) begin "$bench/fleet" --kind=tcp --close=reset --port="$port" --targets="$2" ;;
    *) begin "$bench/fleet" --kind="$1" --port="$port" --targets="$2" ;;
    esac
}
start_haproxy() {
    {
        printf 'global\n  nbthread 1\n  maxconn 100\ndefaults\n  mode tcp\n'
        printf '  timeout connect 1s\n  timeout client 1s\n  timeout server 1s\n  timeout check 1s\n'
        printf 'frontend users\n  bind 127.0.0.1:19001\n  default_backend targets\nbackend targets\n'
        if [ "$1" = http ]; then
            printf '  option httpchk\n  http-check send meth GET uri /healthz ver HTTP/1.1'
            printf ' hdr Host target hdr Connection close\n'
        fi
        addresses "$2" | awk -v port="$port" '{ printf "  server s%d %s:%d check inter 1s\n", NR, $1, port }'
    } >"$work/haproxy.cfg"
    begin haproxy -db -f "$work/haproxy.cfg"
}
start_monit() {
    {
        printf 'set daemon 1\nset log %s/monit.log\n' "$work"
        printf 'set %s %s/monit.%s\n' pidfile "$work" pid idfile "$work" id statefile "$work" state
        test="type tcp"
        if [ "$1" = http ]; then test='protocol http request "/healthz"'; fi
        addresses "$2" | awk -v port="$port" -v test="$test" '{
            printf "check host h%d with address %s\n", NR, $1
            printf "  if failed port %d %s with timeout 1 seconds then alert\n", port, test }'
    } >"$work/monit.conf"
    chmod 600 "$work/monit.conf"
    rm -f "$work/monit.log" "$work/monit.state"
    begin monit -I -c "$work/monit.conf"
}

# Resident memory with one target, which a program takes anyway.
measure_base() { # measure_base NAME KIND: sets base
    "start_$1" "$2" 1
    sleep 1.5
    running
    base=$(resident_kib)
    end
}

quantiles() { # of the numbers that come in: the median and the middle half
    sort -n | awk '{ value[NR] = $1 }
        function at(part,  place, below) {
            place = 1 + (NR - 1) * part
            below = int(place)
            return value[below] + (below < NR ? (value[below + 1] - value[below]) * (place - below) : 0)
        }
        END { printf "%.2f %.2f-%.2f", at(0.5), at(0.25), at(0.75) }'
}

row() { printf '| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n' "$@"; }

compare() { # compare NAME TITLE KIND COUNT
    name=$1 title=$2 kind=$3 count=$4
    if [ "$kind" = http ]; then port=$HTTP_PORT; else port=$TCP_PORT; fi
    measure_base "$name" "$kind" && peer_base=$base
    measure_base probekit "$kind" && our_base=$base
    : >"$work/samples"
    for round in $(seq "$rounds"); do
        # The one first, then the other.
        order="$name probekit"
        if [ $((round % 2)) = 0 ]; then order="probekit $name"; fi
        for one in $order; do
            "start_$one" "$kind" "$count"
            sample=$(watch)
            end
            complain
            if [ "$one" = probekit ]; then ours=$sample; else theirs=$sample; fi
        done
        echo "$theirs $ours" >>"$work/samples"
    done
    ratio=$(awk '{ print $1 / $4 }' "$work/samples" | quantiles)
    middle() { awk -v column="$1" '{ print $column }' "$work/samples" | quantiles | cut -d ' ' -f 1; }
    per_target() { # per_target COLUMN BASE
        awk -v kib="$(middle "$1")" -v base="$2" -v count="$count" 'BEGIN { printf "%.0f", (kib - base) * 1024 / (count - 1) }'
    }
    whole() { printf '%.0f' "$1"; }
    label=$kind
    if [ $kind = silent ]; then label="tcp, silent"; fi
    row "$title" "$label" "$count" "${ratio% *}" "${ratio#* }" "$(whole "$(middle 1)")" "$(whole "$(middle 4)")" \
        "$(whole "$(middle 2)")" "$(whole "$(middle 5)")" "$(per_target 3 "$peer_base")" "$(per_target 6 "$our_base")"
}

# Peers that probe on request, one attempt at a time; so does probekit beside them.
one_at_a_time() { # one_at_a_time TITLE KIND SAMPLE MEMORY: SAMPLE is a function that prints CPU microseconds a check
    : >"$work/samples"
    for round in $(seq "$rounds"); do
        theirs=$("$3")
        ours=$($on_first_core "$bench/probe_cost" --one=probe --kind="$2" --host="$ANY_ADDRESS" --port="$port" \
            --in-flight=1 --count=3000 | sed -n 's/.* cpu_us //p')
        echo "$theirs $ours" >>"$work/samples"
    done
    ratio=$(awk '{ print $1 / $2 }' "$work/samples" | quantiles)
    row "$1" "$2" "one at a time" "${ratio% *}" "${ratio#* }" \
        "$(printf '%.0f' "$(awk '{ print $1 }' "$work/samples" | quantiles | cut -d ' ' -f 1)")" \
        "$(printf '%.0f' "$(awk '{ print $2 }' "$work/samples" | quantiles | cut -d ' ' -f 1)")" "" "" "$($4)" ""
}
exporter_looks() { # exporter_looks COUNT
    curl -fsS -o "$work/answer" "http://127.0.0.1:19115/probe?module=$module&target=$target&number=[1-$1]"
}
exporter_sample() {
    before=$(cpu_us)
    exporter_looks 1000
    echo "$before $(cpu_us)" | awk '{ print ($2 - $1) / 1000 }'
}
resident_mib() { echo "$(($(resident_kib) / 1024)) MiB in all"; }
exporter() { # exporter KIND
    if [ "$1" = http ]; then
        port=$HTTP_PORT module=http_2xx target=http://$ANY_ADDRESS:$HTTP_PORT/healthz
    else
        port=$TCP_PORT module=tcp_connect target=$ANY_ADDRESS:$TCP_PORT
    fi
    printf 'modules:\n  http_2xx:\n    prober: http\n  tcp_connect:\n    prober: tcp\n' >"$work/exporter.yml"
    begin prometheus-blackbox-exporter --config.file="$work/exporter.yml" --web.listen-address=127.0.0.1:19115
    for attempt in 1 2 3 4 5; do
        sleep 1
        if exporter_looks 1 2>/dev/null; then break; fi
    done
    exporter_looks 200
    grep -q '^probe_success 1' "$work/answer"
    one_at_a_time "blackbox exporter" "$1" exporter_sample resident_mib
    end
}
# As a container's health command is run, ten a second; the CPU time of the shell, of curl, and of starting them.
curl_sample() {
    begin "$bench/fleet" --kind=exec --targets=10 --command="curl -f http://$ANY_ADDRESS:$HTTP_PORT/healthz || exit 1"
    sleep 1
    sleep $window
    own=$(cpu_us)
    end
    awk -v own="$own" '{ print $8 + own / $2 }' "$work/out"
}
curl_mib() { awk '{ printf "%.0f MiB while it runs", $10 / 1024 }' "$work/out"; }

row peer kind targets "CPU ratio" "middle half" "CPU a check, µs" "probekit: CPU, µs" "checks a second" \
    "probekit: checks" "bytes a target" "probekit: bytes"
row --- --- ---: ---: ---: ---: ---: ---: ---: ---: ---:
if has haproxy; then
    # Its TCP checks reset a connection before the server's program sees it, as our silent checks do.
    for kind in tcp silent http; do
        for count in 2000 10000; do compare haproxy HAProxy $kind $count; done
    done
fi
if has monit; then
    for kind in tcp http; do compare monit monit $kind 2000; done
fi
if has prometheus-blackbox-exporter && has curl; then
    for kind in tcp http; do exporter $kind; done
fi
if has curl; then
    port=$HTTP_PORT
    one_at_a_time '`curl -f` in a shell' http curl_sample curl_mib
fi
echo
{
    has haproxy && haproxy -v | sed -n '1s/HAProxy version \([0-9.]*\).*/HAProxy \1/p'
    has monit && monit -V | sed -n '1s/.*version \([0-9.]*\).*/monit \1/p'
    has prometheus-blackbox-exporter &&
        prometheus-blackbox-exporter --version 2>&1 | sed -n '1s/.*version \([0-9.]*\).*/blackbox exporter \1/p'
    has curl && curl --version | sed -n '1s/curl \([0-9.]*\).*/curl \1/p'
} | paste -s -d , | sed 's/,/, /g; s/$/./'
