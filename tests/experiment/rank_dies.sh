#!/usr/bin/env bash
# A rank that dies ends the job within ten seconds; what is finished is kept and goes on with --resume.
source "$(dirname "$0")/common.sh"
"$mpiexec" -n 2 --oversubscribe "$program" experiments/smoke.ini --set experiment.results="$work/dead" \
  --set training.steps=100000 > "$work/dead.log" 2>&1 &
job=$!
for _ in $(seq 1 100); do
  victim=$(pgrep -f "experiment.results=$work/dead" | while read -r pid; do
    grep -qz 'OMPI_COMM_WORLD_RANK=1' "/proc/$pid/environ" 2> /dev/null && echo "$pid"; done | head -n 1 || true)
  compgen -G "$work/dead/smoke/parts/*.h5" > /dev/null && [ -n "$victim" ] && break
  sleep 0.3
done
[ -n "$victim" ] || fail "found no second rank"
kill -9 "$victim"
start=$(date +%s)
wait "$job" && fail "the job ended as if nothing had happened"
took=$(( $(date +%s) - start ))
[ "$took" -le 10 ] || fail "it took $took s to end"
compgen -G "$work/dead/smoke/parts/*.h5" > /dev/null || fail "finished parts were lost"
echo "ended after $took s"
