#!/bin/sh
# A header includes its own room and those it may stand on, nothing else of ours:
#   include_rule.sh ROOT
# The main rooms stand in a row, each on all before it. The optional rooms stand on main rooms and not on one another.
# core and http include the standard library only; nlohmann/json belongs to the room kubernetes.
set -eu
cd "$1/include/probekit"

allowed() { # the rooms a header of room $1 may include
    case $1 in
    core) echo core ;;
    http) echo core http ;;
    async) echo core http async ;;
    process) echo core http async process ;;
    probes) echo core http async process probes ;;
    runtime | probekit.hpp) echo core http async process probes runtime ;;
    kubernetes | observe | tls | grpc | simulation | testing) echo core http async process probes runtime "$1" ;;
    config.hpp | version.hpp) echo ;;
    *) return 1 ;;
    esac
}

errors=$(
    find . -name '*.hpp' | LC_ALL=C sort | while IFS= read -r header; do
        header=${header#./}
        room=${header%%/*}
        if ! rooms=" $(allowed "$room") "; then
            echo "$header: no such room: $room"
            continue
        fi
        sed -n 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*//p' "$header" | sed 's/[[:space:]]*\/\/.*//' |
            while IFS= read -r included; do
                case $included in
                '<probekit/config.hpp>' | '<probekit/version.hpp>') ;;
                '<probekit/'*)
                    to=${included#<probekit/}
                    case $rooms in
                    *" ${to%%/*} "*) ;;
                    *) echo "$header: $room may not include $included" ;;
                    esac
                    ;;
                '<nlohmann/'*) [ "$room" = kubernetes ] || echo "$header: $room may not include $included" ;;
                '<'*[./]*'>') # neither a header of the standard library nor of ours
                    case $room in core | http) echo "$header: $room may not include $included" ;; esac
                    ;;
                '<'*'>') ;;
                *) echo "$header: not in angle brackets: $included" ;;
                esac
            done
    done
)
[ -z "$errors" ] || { echo "$errors"; exit 1; }
