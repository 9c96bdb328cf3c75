#!/usr/bin/env bash
# Every method that competes, in its quick size: it runs, and gives the same numbers on two ranks as on one.
source "$(dirname "$0")/common.sh"

for ranks in 1 2; do
  "$mpiexec" -n $ranks --oversubscribe "$program" experiments/baselines.ini --size quick \
    --set experiment.results="$work/ranks$ranks" > "$work/ranks$ranks.log" 2>&1 || fail "$ranks ranks"
done
one=$work/ranks1/baselines_quick two=$work/ranks2/baselines_quick
cmp "$one/summary.json" "$two/summary.json" || fail "summaries differ"
for group in /metrics /cost; do
  h5diff "$one/baselines_quick.h5" "$two/baselines_quick.h5" $group || fail "$group of one rank and two differs"
done
