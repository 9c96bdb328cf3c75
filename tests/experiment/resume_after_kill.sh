#!/usr/bin/env bash
# kill -9 at random moments, then --resume: the end is that of a run nobody disturbed, bit for bit.
source "$(dirname "$0")/common.sh"
ln -s "$reference" "$work/whole"
kills=0
for round in $(seq 1 40); do
  setsid "$program" experiments/smoke.ini --set experiment.results="$work/killed" --resume > "$work/killed.log" 2>&1 &
  pid=$!
  # The later rounds wait longer, so that the test ends; the first ones die early.
  sleep "$(awk -v r="$round" -v x="$RANDOM" 'BEGIN { print 0.7 + r * 0.15 + x / 32768 }')"
  if kill -9 "$pid" 2> /dev/null; then
    wait "$pid" 2> /dev/null || true
    kills=$((kills + 1))
    # What a finished job has written stays readable at any moment.
    for part in "$work"/killed/smoke/parts/*.h5; do
      [ -e "$part" ] || continue
      h5ls -r "$part" > /dev/null || fail "$part is damaged after kill -9"
    done
  else
    wait "$pid" || fail "resumed run"
    break
  fi
done
[ "$kills" -gt 0 ] || fail "nothing was killed"
run 1 killed --resume || fail "last resume"
equal whole killed
echo "killed $kills times, ended the same"
