#!/bin/sh
# Writes docs/benchmarks.md, and its pictures in docs/benchmarks/, from what benchmarks/report has measured: build/report.
set -eu
cd "$(dirname "$(dirname "$(realpath "$0")")")"
out=$PWD/build/report
pictures=docs/benchmarks
mkdir -p "$pictures"
large_mib=4096 # as in report

# A figure that is not there is a dash.
value() { # value STEP COLUMN KEY...: of the row whose first columns are the keys
    [ -s "$out/$1.tsv" ] || { echo -; return; }
    file=$out/$1.tsv column=$2
    shift 2
    awk -F '\t' -v column="$column" -v one="$1" -v two="${2:-}" '{ gsub(/"/, "") }
        $1 == one && (two == "" || $2 == two) && NF > column { found = $column; exit }
        END { print found == "" ? "-" : found }' "$file"
}
gate() { # gate PROBE FIGURE
    [ -s "$out/counts.tsv" ] || { echo -; return; }
    awk -F '|' -v probe="$1" -v figure="$2" '{ gsub(/ /, "") } $2 == probe && $3 == figure { found = $4 }
        END { print found == "" ? "-" : found }' "$out/counts.tsv"
}
whole() { awk -v value="$1" 'BEGIN { if (value == "-") print value; else printf "%.0f\n", value }'; }
product() {
    awk -v a="$1" -v b="$2" 'BEGIN { if (a == "-" || b == "-") print "-"; else printf "%.3g\n", a * b }'
}
quotient() { awk -v a="$1" -v b="$2" 'BEGIN { if (a == "-" || b + 0 == 0) print "-"; else printf "%.2f\n", a / b }'; }
table() { # table STEP CONDITION TITLE=COLUMN...: the rows for which the condition of awk holds
    [ -s "$out/$1.tsv" ] || { echo "Not measured in this run."; return; }
    file=$out/$1.tsv condition=$2
    shift 2
    printf '|'
    for title in "$@"; do printf ' %s |' "${title%=*}"; done
    printf '\n|'
    columns=
    for title in "$@"; do
        if [ "${title##*=}" = 1 ]; then printf ' --- |'; else printf ' ---: |'; fi
        columns="$columns ${title##*=}"
    done
    printf '\n'
    awk -F '\t' -v columns="${columns# }" '{ gsub(/"/, "") } '"$condition"' {
        count = split(columns, column, " ")
        line = "|"
        for (i = 1; i <= count; ++i) line = line " " $column[i] " |"
        print line }' "$file"
}
whole_table() { # whole_table STEP: of one that prints Markdown
    if [ -s "$out/$1.tsv" ]; then cat "$out/$1.tsv"; else echo "Not measured in this run."; fi
}
aim() { # aim WHAT FIGURE LIMIT [MORE]: a row of the table of aims
    verdict=$(echo "$2" "$3" | awk '{ print $1 == "-" ? "-" : $1 + 0 <= $2 + 0 ? "yes" : "**no**" }')
    printf '| %s | %s%s | at most %s | %s |\n' "$1" "$2" "${4:+ ($4)}" "$3" "$verdict"
}
aim_of_ratio() { # aim_of_ratio WHAT LIMIT COLUMN STEP KEY IN_FLIGHT: with the middle half, which is the next column
    aim "$1" "$(value "$4" "$3" "$5" "$6")" "$2" "$(value "$4" $(($3 + 1)) "$5" "$6")"
}
exec_name="exec of /bin/true"
exec_large="$exec_name, host of $large_mib MiB"

aims() {
    echo '| | reached | aim | |'
    echo '| --- | --- | --- | --- |'
    aim_of_ratio "TCP, any address: CPU, ratio to bare system calls" 1.10 3 probes "tcp, any address" 64
    aim "TCP, any address: system calls" "$(gate tcp system-calls)" 9
    aim "TCP, any address: user instructions" "$(whole "$(gate tcp instructions)")" 2600
    aim_of_ratio "TCP, loopback address: CPU, ratio" 0.95 3 probes "tcp, loopback address" 64
    aim "TCP, loopback address: system calls" "$(gate tcp-loopback system-calls)" 6
    aim "TCP, loopback address: user instructions" "$(whole "$(gate tcp-loopback instructions)")" 1400
    aim_of_ratio "HTTP: CPU, ratio" 1.15 3 probes "http, any address" 64
    aim "HTTP: system calls" "$(gate http system-calls)" 12
    aim "HTTP: user instructions" "$(whole "$(gate http instructions)")" 4500
    aim_of_ratio "exec: own CPU, ratio" 1.20 3 probes "$exec_name" 64
    aim_of_ratio "exec: time the event loop is held up, ratio" 1.20 5 probes "$exec_name" 64
    aim_of_ratio "exec from a process of 4 GiB: own CPU, ratio" 1.20 3 large_host "$exec_large" 64
    aim_of_ratio "exec from a process of 4 GiB: event loop held up, ratio" 1.20 5 large_host "$exec_large" 64
    for probe in tcp http exec tcp-refused tcp-loopback-refused http-refused; do
        aim "heap allocations in 2,000 attempts: $(echo $probe | sed 's/-/, /g')" "$(gate $probe allocations)" 0
    done
    printf '| Asio on io_uring, TCP, any address: CPU, ratio to Asio on epoll | %s | less than 1 | |\n' \
        "$(quotient "$(value uring 3 "tcp, any address" 64)" "$(value probes 3 "tcp, any address" 64)")"
    aim_of_ratio "judging a result, ratio to a bare counter" 2 2 judge predictable ""
    aim "bytes per idle target, of 1,000,000" "$(gate idle-target bytes)" 400
    aim "the same with any_io_executor" "$(gate idle-target-any bytes)" 512
    aim "scheduling, CPU µs per firing, 100,000 targets" "$(value targets 4 100000)" 2
    aim "scheduling, CPU µs per firing, 1,000,000 targets" "$(value targets 4 1000000)" 2
    aim "the same on a virtual clock, 1,000,000 targets" "$(value targets 9 1000000)" 1.2
    aim "... and its growth from 10,000 targets" "$(quotient "$(value targets 9 1000000)" "$(value targets 9 10000)")" 4
    aim "wake-ups of an idle loop in 3 s, besides the one that ends the measurement" \
        "$(value targets 3 1000 3 | awk '{ print $1 == "-" ? "-" : $1 - 1 }')" 0
    aim "100,000 targets created at once: checks in the busiest 100 ms, ratio to the average" \
        "$(value burst 3 "spread over the period")" 1.25
    aim "checks that began out of their order under a limit of 64" "$(value burst 6 "limit of 64")" 0
    aim '`#include <probekit/probekit.hpp>`: compile time, ratio to its Asio headers' \
        "$(value umbrella 6 probekit/probekit.hpp)" 1.25
    aim '`#include <probekit/probekit.hpp>`: memory, ratio' "$(value umbrella 7 probekit/probekit.hpp)" 1.25
}

# Pictures. Each from a file of numbers in build/report; without it there is none.
plot() { # plot NAME WIDTH HEIGHT: with gnuplot's commands from standard input
    {
        echo "set terminal svg size $2,$3 font 'DejaVu Sans,12' background 'white'"
        echo "set output '$pictures/$1.svg'"
        echo "set datafile separator '\t'"
        echo "set border 3 linecolor '#666666'; set tics nomirror out textcolor '#333333'; set grid ytics linecolor '#dddddd'"
        echo "set linetype 1 linecolor '#2b6cb0'; set linetype 2 linecolor '#dd6b20'; set linetype 3 linecolor '#2f855a'"
        echo "set linetype 4 linecolor '#805ad5'; set linetype 5 linecolor '#718096'"
        cat
    } >"$out/$1.gnuplot"
    gnuplot "$out/$1.gnuplot" 2>"$out/$1.plot.log" && return
    echo "==> no picture $1, see build/report/$1.plot.log" >&2
    rm -f "$pictures/$1.svg"
}
picture() { # picture NAME TEXT: a line of Markdown, if there is one
    if [ -s "$pictures/$1.svg" ]; then printf '\n![%s](benchmarks/%s.svg)\n' "$2" "$1"; fi
}
draw() {
    rm -f "$pictures"/*.svg
    if [ -s "$out/probes.tsv" ]; then
        # Name, median and middle half, on epoll and on io_uring.
        for step in probes uring; do
            awk -F '\t' '{ gsub(/"/, ""); split($4, half, "-"); sub(/ of .*| address/, "", $1)
                print "\"" $1 "\"\t" $3 "\t" half[1] "\t" half[2] }' \
                "$out/$step.tsv" >"$out/$step.plot" 2>/dev/null || true
        done
        whiskers="heads size 0.05,90 linecolor '#333333' notitle"
        uring=
        if [ -s "$out/uring.plot" ]; then
            uring=", '$out/uring.plot' using (\$0 + 0.18):2:(0.32) with boxes linetype 2 title 'Asio on io\\_uring',
                '' using (\$0 + 0.18):3:(0):(\$4 - \$3) with vectors $whiskers"
        fi
        plot ratio 720 360 <<-END
			set style fill solid 0.85 noborder
			set yrange [0:*]; set xrange [-0.6:*]; set offsets 0, 0.4, 0.1, 0
			set ylabel 'CPU time, bare system calls = 1'
			set key top left horizontal
			set arrow from graph 0, first 1 to graph 1, first 1 nohead linecolor '#c53030' linewidth 1.5 front
			plot '$out/probes.plot' using (\$0 - 0.18):2:(0.32):xticlabels(1) with boxes linetype 1 title 'Asio on epoll', \\
			    '' using (\$0 - 0.18):3:(0):(\$4 - \$3) with vectors $whiskers$(echo $uring)
		END
    fi
    if [ -s "$out/sweep.tsv" ] && [ -s "$out/probes.tsv" ]; then
        lines=
        number=0
        for probe in "tcp, any address" "tcp, loopback address" "http, any address" "http, loopback address" "$exec_name"; do
            number=$((number + 1))
            awk -F '\t' -v probe="$probe" '{ gsub(/"/, "") } $1 == probe { print $2 "\t" $3 }' \
                "$out/sweep.tsv" "$out/probes.tsv" | sort -n >"$out/sweep$number.plot"
            lines="$lines, '$out/sweep$number.plot' using 1:2 with linespoints linetype $number pointtype 7 linewidth 2"
            lines="$lines title '$probe'"
        done
        plot sweep 760 340 <<-END
			set logscale x 2; set xtics (1, 8, 64, 512); set xrange [0.8:640]; set yrange [0:*]; set offsets 0, 0, 0.2, 0
			set xlabel 'attempts in flight at once'; set ylabel 'CPU time, bare system calls = 1'
			set key outside right center; set rmargin 29
			set arrow from graph 0, first 1 to graph 1, first 1 nohead linecolor '#c53030' linewidth 1.5 front
			plot ${lines#, }
		END
    fi
    if [ -s "$out/targets.tsv" ]; then
        awk -F '\t' 'NF > 8' "$out/targets.tsv" >"$out/targets.plot"
        plot targets 720 340 <<-END
			set multiplot layout 1, 2
			set logscale x; set format x '%.0s%c'; set xlabel 'targets'; set yrange [0:*]; set xrange [700:1500000]
			set title 'Memory, bytes per idle target'; set key bottom left; set offsets 0, 0, 50, 0
			plot '$out/targets.plot' using 1:2 with linespoints linetype 1 pointtype 7 linewidth 2 title "io\\\\_context's executor", \\
			    '' using 1:3 with linespoints linetype 2 pointtype 7 linewidth 2 title 'any\\_io\\_executor'
			set title 'Scheduling, CPU µs per firing'; set key top right; set logscale y; set yrange [0.1:*]; set offsets 0, 0, 0, 0
			plot '$out/targets.plot' using 1:4 with linespoints linetype 1 pointtype 7 linewidth 2 title 'real clock', \\
			    '' using 1:9 with linespoints linetype 2 pointtype 7 linewidth 2 title 'virtual clock'
			unset multiplot
		END
    fi
    if [ -s "$out/headers.tsv" ]; then
        # The dearest first; what Asio takes is a part of the bar.
        awk -F '\t' '{ gsub(/"/, ""); sub(/^probekit\//, "", $1)
            print $2 "\t" ($4 == "-" ? 0 : $4) "\t\"" $1 "\"" }' "$out/headers.tsv" | sort -n >"$out/headers.plot"
        rows=$(wc -l <"$out/headers.plot")
        plot headers 720 $((rows * 17 + 90)) <<-END
			set style fill solid 0.85 noborder; unset grid; set grid xtics linecolor '#dddddd'
			set xlabel 'CPU seconds to compile a file that includes it'; set xrange [0:*]
			set yrange [-0.7:$rows.3]; set key at graph 0.97, graph 0.15 right; set ytics noenhanced
			plot '$out/headers.plot' using (0):0:(0):1:(\$0 - 0.35):(\$0 + 0.35):yticlabels(3) with boxxyerror linetype 1 \\
			    title 'the header', \\
			    '' using (0):0:(0):2:(\$0 - 0.15):(\$0 + 0.15) with boxxyerror linetype 2 \\
			    title 'the Asio headers it needs, alone'
		END
    fi
    if [ -s "$out/peers.tsv" ]; then
        awk -F ' *\\| *' 'NR > 2 && NF > 11 { gsub(/`/, ""); count = $4 ~ /^[0-9]+$/ ? ", " $4 " targets" : ""
            print "\"" $2 ", " $3 count "\"\t" $7 "\t" $8 }' "$out/peers.tsv" | tac >"$out/peers.plot"
        rows=$(wc -l <"$out/peers.plot")
        plot peers 720 $((rows * 36 + 110)) <<-END
			set style fill solid 0.85 noborder; unset grid; set grid xtics linecolor '#dddddd'
			set logscale x; set xrange [10:20000]; set xlabel 'CPU µs per check (logarithmic)'
			set yrange [-0.6:$rows]; set key top right
			plot '$out/peers.plot' using (10):0:(10):2:(\$0):(\$0 + 0.35):yticlabels(1) with boxxyerror linetype 2 \\
			    title 'the peer', \\
			    '' using (10):0:(10):3:(\$0 - 0.35):(\$0) with boxxyerror linetype 1 title 'probekit', \\
			    '' using 2:(\$0 + 0.18):2 with labels left offset 0.4, 0 font ',10' notitle, \\
			    '' using 3:(\$0 - 0.18):3 with labels left offset 0.4, 0 font ',10' notitle
		END
    fi
}
# What a reader must know before the figures.
warnings() {
    missing=
    for step in counts probes sweep any_executor large_host large_host_fork uring targets judge burst umbrella parts headers peers; do
        [ -s "$out/$step.tsv" ] || missing="$missing $step"
    done
    if [ -n "$missing" ]; then printf '\n**Not measured in this run:%s.**\n' "$missing"; fi
    awk -F '\t' '$1 == "Busy" && $2 > 10 {
        print "\n**Others kept the machine busy (" $2 " % of it) while this was measured: times are too long, and ratios\n" \
            "of them less certain. Counts and memory are not touched by that.**" }' "$out/machine.tsv"
}

page() {
    tcp=$(value probes 8 "tcp, any address" 64)
    http=$(value probes 8 "http, any address" 64)
    tcp_ratio=$(value probes 3 "tcp, any address" 64)
    http_ratio=$(value probes 3 "http, any address" 64)
    fork=$(value large_host_fork 7 "$exec_large" 1)
    no_fork=$(value large_host_fork 8 "$exec_large" 1)
    million_looks=$(value targets 5 1000000)
    million=$(value targets 4 1000000)
    cat <<END
# What does a probe cost?

<!-- Written by benchmarks/page.sh. Change that, and run benchmarks/report. -->

A TCP probe takes $tcp microseconds of CPU time on the machine below, an HTTP probe $http: $tcp_ratio and $http_ratio times
what the bare system calls for the same take, which are the least that any program needs. That includes all of a
\`ProbeWorker\`: the schedule, the deadline, the result, the thresholds, the verdict. No attempt allocates memory once a program is
warm. A target that is not being probed takes $(gate idle-target bytes) bytes, all included, and beginning a check takes
$million microseconds where a million of them share one thread.

Ratios come first here, since they hold on other machines too; each is the median of pairs of runs, one right
after the other and each first in turn, with the middle half of the pairs beside it. Times in microseconds are of this one machine.
$(warnings)

## What it should cost, and does

$(aims)

System calls, instructions, allocations and bytes are counted, and \`benchmarks/gates.sh\` fails when one is above
\`benchmarks/limits.txt\`. The others are measured.

## A probe beside bare system calls

The floor is a loop on epoll of our own, in the manner of C, that does the same to the peer and nothing else
(\`benchmarks/floors/\`): TCP connects and resets, HTTP reads the response to its end, exec starts the command with pipes, a
process group and clean signals, and reaps it. 64 attempts are in flight at any time. The client has one core, the server the
other. A loopback address is one in 127.0.0.0/8, where a second connect() gives the outcome at once. Any other address costs
a turn of the event loop, even if it leads to the same machine, as it does here.
$(picture ratio "CPU time of a probe, in units of bare system calls")

$(table probes 'NF > 10' probe=1 "CPU ratio=3" "middle half=4" "floor, µs=7" "probe, µs=8" "allocations=11")

exec, of \`/bin/true\`: the process's own CPU time, and how long the event loop is held up by starting and reaping.

$(table probes '$1 ~ /^exec/' probe=1 "CPU ratio=3" "middle half=4" "held-up ratio=5" "middle half=6" "held up, µs=9" \
    "CPU of the child, µs=10")

With \`any_io_executor\`, the type-erased executor of \`probekit::TcpProbe\` and the other short names, instead of
\`io_context::executor_type\`, for which the figures above are:

$(table any_executor 'NF > 10' probe=1 "CPU ratio=3" "middle half=4" "probe, µs=8" "allocations=11")

Asio on io_uring instead of epoll (\`ASIO_HAS_IO_URING\` and \`ASIO_DISABLE_EPOLL\`), to the same floor on epoll:

$(table uring 'NF > 10' probe=1 "CPU ratio=3" "middle half=4" "probe, µs=8" "allocations=11")

Counted, for one attempt each; "refused" means a port without a listener:

$(whole_table counts | grep '^|' | cut -d '|' -f 1-4 | sed 's/|.*/&|/')

Where the instructions of an HTTP attempt go, according to callgrind, in round numbers: Asio 1,250 and the libc functions it calls
600, reading the response 950, dialling and the attempt 750, the worker 350, the timing wheel 300, the state machine 150, locks
and references 150. A report of the event loop that leads to nothing costs about 200 of them, and an attempt may see one or
two: once it has waited for a connect, Asio goes on asking whether the socket can be written to. So the figure varies by some 4 %
with the moment at which the server responds.

## How many at once

CPU time of an attempt, in units of the bare loop with as many in flight. One alone pays for the timer that its worker sets for
the next check, and for the turn of the loop that it ends in; many share them.
$(picture sweep "CPU ratio by attempts in flight")

$(cat "$out/probes.tsv" "$out/sweep.tsv" 2>/dev/null | sort -t "$(printf '\t')" -k 1,1 -k 2,2n >"$out/concurrency.tsv"
    table concurrency 'NF > 10' probe=1 "in flight=2" "CPU ratio=3" "middle half=4" "floor, µs=7" "probe, µs=8")

## Commands from a large process

A program with $((large_mib / 1024)) GiB of memory in use starts commands, beside the floor in a process of the same size:

$(table large_host 'NF > 10' probe=1 "CPU ratio=3" "middle half=4" "held-up ratio=5" "middle half=6" "probe, µs=8" \
    "held up, µs=9")

probekit shares the memory until the command runs. fork(), as many programs would do it, copies the tables of all that
memory: it takes $(whole "$fork") µs of CPU there, and probekit $(whole "$no_fork") µs, one command after the other:
$(whole "$(quotient "$fork" "$no_fork")") times less.

## Judging a result

Beside a counter with two thresholds and nothing else, on results that nearly all pass and on random ones. The worker's state
machine decides what to do next, too.

$(table judge 'NF > 6' results=1 "policy: ratio=2" "middle half=3" "counter, ns=4" "policy, ns=5" "state machine, ns=6")

## Many targets

Memory of a started \`ProbeWorker<TcpProbe>\` and its handle while nothing happens, and the CPU time to begin a check when it is
due, for a probe that costs nothing. The period is 10 s. A million targets are $(whole "$million_looks") checks a second, and
scheduling them takes $(product "$(product "$million" "$million_looks")" 0.0001) % of a core.
$(picture targets "Memory and scheduling by number of targets")

$(table targets 'NF > 8' targets=1 "bytes each=2" "with any_io_executor=3" "CPU per firing, µs=4" "virtual clock, µs=9" \
    "firings a second=5")

How late checks begin, in microseconds. Checks that are due within 8 ms of each other (1/128 of a short period) share a wake-up,
which saves the processor most wake-ups.

$(table targets 'NF > 8' targets=1 "median=6" "99th percentile=7" "latest=8")

While nothing is due the loop sleeps: with 1,000 idle targets it woke $(value targets 3 1000 3) time in 3 s, for the timer
that ended the measurement.

## Everything at once

$(table burst 'NF == 4' "100,000 targets created at once, period 10 s=1" "checks in the busiest 100 ms=2" \
    "ratio to the average=3")

An \`AttemptLimit\` keeps back checks that are due: first due, first served. How late 5,000 TCP checks begin that are all due at
once, in milliseconds:

$(table burst 'NF > 6' "=1" "most in flight=2" "median=3" "99th percentile=4" "latest=5" "out of order=6" "failed=7")

## What an include costs

The whole library beside the Asio headers that it needs, optimising:

$(table umbrella 'NF > 6' header=1 "CPU ratio=6" "memory ratio=7" "CPU, s=2" "memory, MB=3" "Asio: CPU, s=4" \
    "Asio: memory, MB=5")

What that is made of, and beside it all of Asio, which many a program includes anyway:

$(table parts 'NF > 4 && $5 + 0 > 0' included=1 "CPU ratio=4" "memory ratio=5" "CPU, s=2" "memory, MB=3")

The library's functions are compiled where they are used, not where they are included (\`core/detail/on_use.hpp\`). What is left
is its types: some 9,000 lines to be read, and the vectors, optionals and variants in settings, results and decisions, each of
which g++ instantiates for about half a megabyte to one. Only functions compiled apart, or fewer rooms in the one header, would
take much off that: without them we estimate some 1.45 of the time and 1.35 of the memory of Asio as the least. A program that wants
less includes less, as the table below shows.

And each public header alone. The optional rooms that need libraries of others are left out.
$(picture headers "Compile time of each public header")

<details><summary>In numbers</summary>

$(table headers 'NF > 6' header=1 "CPU ratio=6" "memory ratio=7" "CPU, s=2" "memory, MB=3" "Asio: CPU, s=4" \
    "Asio: memory, MB=5")

</details>

## Beside what people use today

Each peer checks the same targets at the same server as probekit does right before or after it, once a second each, every
target with an address of its own; what is counted is the CPU time of the checking process alone. A ratio above 1: the peer
takes more. HAProxy's TCP checks reset the connection before the server's program gets to see it; probekit does so with
\`TcpClose::silent\`, so there are rows with both. The blackbox exporter and curl probe on request, one attempt at a time. curl
is run as a container's health command is, \`sh -c 'curl -f ... || exit 1'\`, and its row contains the shell. Memory of 2,000 or
10,000 targets, over that of one.
$(picture peers "CPU time of a check: peers and probekit")

$(whole_table peers)

### The kubelet

Not measured in this run, but recorded before, on the same kind of machine: the kubelet's own prober packages (Kubernetes
v1.35, built with Go 1.25), called in a loop on one core, one after the other and 64 at once.

| | CPU, µs, one after the other | 64 at once | allocations | memory allocated |
| --- | ---: | ---: | ---: | ---: |
| tcpSocket | 177 | 209 | 29 | 1.4 KB |
| httpGet | 404 | 218 | 116 | 16.9 KB |
| exec, without its child | 341 | 328 | 50 | 39.5 KB |

A part of the TCP figures is the second of linger with which the kubelet closes: without it, it is about 102 µs. The child of
exec takes about 850 µs more; a container runtime, through which a kubelet's exec goes, was not part of it. An idle worker took
8.3 to 9.1 KB of resident memory, 15 to 16 KB after a while, and an idle tick 17 to 21 µs with 100,000 workers.

## The machine

$(awk -F '\t' '$1 != "Busy" { print "* " $1 ": " $2 }' "$out/machine.tsv")

Client and server have a core each, in a network namespace with loopback only. Other machines have other times; absolute
figures here are of this one.

## Repeat it

    benchmarks/report

from a clean clone, on Debian 12 or later, as root or with sudo for packages; it takes less than 20 minutes on two cores, and
writes this page. It says how to continue after an interruption, and how to measure one part again. Without root, and where
users may have no network namespaces, parts are left out. Each program can be run by itself, prints a table, and JSON with
\`--json\`:

| build/benchmarks/benchmarks/ | |
| --- | --- |
| \`probe_cost\` | a probe beside its floor; \`--kind=tcp\`, \`--in-flight=1,8\`, \`--any-executor\`, \`--resident=4096\` ... |
| \`probe_cost_uring\` | the same with Asio on io_uring |
| \`targets\` | memory, scheduling and lateness; \`--targets=1000,10000\` |
| \`judge\`, \`burst\` | judging a result; many targets at once |
| \`include_cost --root=.\` | compile time and memory of each public header |

\`benchmarks/gates.sh\` counts, \`benchmarks/peers.sh\` sets the peers beside probekit.
END
}

command -v gnuplot >/dev/null && draw
page >"$out/page.md"
mv "$out/page.md" docs/benchmarks.md
