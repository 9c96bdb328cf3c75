#!/usr/bin/env bash
# A rank that dies ends the job; what is finished is kept. That it ends soon is CTest's time limit, not a number here,
# which a busy machine would not keep.
source "$(dirname "$0")/common.sh"
"$mpiexec" -n 2 --oversubscribe "$program" experiments/smoke.ini --set experiment.results="$work/dead" \
  --set training.steps=100000 > "$work/dead.log" 2>&1 &
job=$!
victim=
while kill -0 "$job" 2> /dev/null; do
  victim=$(pgrep -f "experiment.results=$work/dead" | while read -r pid; do
    grep -qz 'OMPI_COMM_WORLD_RANK=1' "/proc/$pid/environ" 2> /dev/null && echo "$pid"; done | head -n 1 || true)
  compgen -G "$work/dead/smoke/parts/*.h5" > /dev/null && [ -n "$victim" ] && break
  sleep 0.3
done
[ -n "$victim" ] || fail "found no second rank"
kill -9 "$victim"
wait "$job" && fail "the job ended as if nothing had happened"
compgen -G "$work/dead/smoke/parts/*.h5" > /dev/null || fail "finished parts were lost"
echo "the other rank ended, too"
