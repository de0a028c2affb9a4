#!/bin/sh
# A supervisor that is started with closed standard streams writes nothing of its own where it should not:
#   closed_streams.sh PROGRAM WORK_DIR
set -u
program=$1
work=$2
rm -rf "$work"
mkdir -p "$work"
cat >"$work/pod.yaml" <<'POD'
apiVersion: v1
kind: Pod
metadata: {name: p}
spec:
  restartPolicy: Never
  containers:
  - {name: c, image: none, command: [sh, -c, "echo a line of the container; cat; ls -l /proc/self/fd/0"]}
POD
"$program" --logs "$work/logs" "$work/pod.yaml" <&- >&- 2>&-
status=$?
log=$(find "$work/logs" -name c.log)
[ "$status" -eq 0 ] && [ "$(head -n 1 "$log")" = "a line of the container" ] && [ "$(wc -l <"$log")" -eq 2 ] && exit 0
echo "exit status $status; the log:"
cat "$log"
exit 1
