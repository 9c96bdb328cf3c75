#!/usr/bin/env bash
# 1, 2 and 4 ranks give the same numbers bit for bit, whether ranks take jobs of their own or share one; and the same films,
# whatever memory holds before it is written.
source "$(dirname "$0")/common.sh"

films_equal() {
  local film count=0
  while IFS= read -r film; do
    cmp "$work/$1/smoke/videos/$film" "$work/$2/smoke/videos/$film" || fail "films of $1 and $2 differ"
    count=$((count + 1))
  done < <(cd "$work/$1/smoke/videos" && find . -name '*.mp4')
  [ "$count" -gt 0 ] || fail "no film was written"
}

ln -s "$reference" "$work/one"
# glibc fills memory that is given out and given back by these bytes.
MALLOC_PERTURB_=77 run 2 two || fail "two ranks"
run 2 shared --set run.ranks_per_job=2 || fail "two ranks on one job"
MALLOC_PERTURB_=255 run 4 four --set run.ranks_per_job=4 || fail "four ranks on one job"
for other in two shared four; do
  equal one $other
  films_equal one $other
done
echo "1, 2 and 4 ranks agree"
