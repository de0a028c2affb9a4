#!/bin/sh
# The program as its users call it, and the pictures in docs/, which are what it draws:
#   timeline.sh PROGRAM ROOT WORK_DIR
set -u
program=$1
root=$2
work=$3
cd "$root" || exit 1
mkdir -p "$work"
failed=0

expect() { # expect STATUS TEXT ARGUMENT...: its exit status, and what its output or its errors say
    status=$1
    text=$2
    shift 2
    "$program" "$@" >"$work/output" 2>&1 </dev/null
    got=$?
    if [ $got -ne "$status" ] || ! grep -qF -e "$text" "$work/output"; then
        echo "timeline $*: exit status $got, expected $status and \"$text\":"
        cat "$work/output"
        failed=1
    fi
}
drawn() { # drawn PICTURE ARGUMENT...
    picture=$1
    shift
    "$program" "$@" --svg "$work/picture.svg" >/dev/null
    cmp "docs/$picture" "$work/picture.svg" || failed=1
}

first=examples/manifests/liveness-exec-pod.yaml
expect 0 'Usage: timeline' --help
expect 0 'never killed by a probe' $first
expect 1 'killed 6 times by its liveness probe, restarted 5 times' --fails-after 3s --ignores-sigterm $first
expect 1 '4m12s  CrashLoopBackOff: back-off 1m20s, starts again in 1m20s' --fails-after 3s --ignores-sigterm $first
expect 1 'A start of 2m needs failureThreshold 13, or a startup probe.' --starts-after 2m examples/timeline/web.yaml
expect 2 'timeline: no manifest given'
expect 2 'none.yaml: No such file or directory' none.yaml
expect 2 'timeline: no container is named none' --container none $first
expect 2 'timeline: --svg: cannot write /none/x.svg' --svg /none/x.svg $first
expect 2 'no pods in this recording' --replay /dev/null
expect 0 'ContainerScopedProbes' --both-cadences $first

drawn timeline.svg --fails-after 3s --ignores-sigterm $first
drawn cadences.svg --creation-takes 2s --fails-after 40s --ends-in 5s --both-cadences --duration 2m \
    examples/timeline/web.yaml
exit $failed
