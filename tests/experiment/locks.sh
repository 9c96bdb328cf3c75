#!/usr/bin/env bash
# One run at a time works on a results folder: others are refused and change nothing, whatever they ask for; a lock whose
# holder is dead is taken over; none stays behind.
source "$(dirname "$0")/common.sh"
small="--set evaluation.scenes=1 --set rollout.clips=2 --set pool.clips=8 --set experiment.seeds=0"
# shellcheck disable=SC2206  # the settings are words
smoke=("$program" experiments/smoke.ini $small --set experiment.results="$work/results")
folder=$work/results/smoke
lock=$folder.lock
refused() {  # refused FRAGMENT COMMAND...: exit code 2 and the message; the run at work is not disturbed
  local fragment=$1 code=0
  shift
  "$@" > "$work/refused.log" 2>&1 || code=$?
  [ "$code" -eq 2 ] || fail "exit code $code instead of 2 for: $*"
  grep -q -- "$fragment" "$work/refused.log" || fail "no '$fragment' for: $*"
}

long="--set training.steps=100000"
# shellcheck disable=SC2086
begin long "${smoke[@]}" $long
wait_for long at_work "$folder" train- 5
holder="(process $running on $(hostname)) is working on it since"
ln -s results "$work/link"
# shellcheck disable=SC2086
for how in --resume --overwrite ""; do
  refused "$holder" "${smoke[@]}" $long $how
  refused "experiment.name=OTHER" "${smoke[@]}" $how
done
# shellcheck disable=SC2086
refused "$holder" "$program" experiments/smoke.ini $small $long --resume --set experiment.results="$work/link"
# shellcheck disable=SC2086
refused "$holder" "$mpiexec" -n 2 --oversubscribe "$program" experiments/smoke.ini $small $long --resume \
  --set experiment.results="$work/results"
[ -e "$lock" ] || fail "a refused run took the lock away"
kill -0 "$running" || fail "the run at work was disturbed"

# Killed: the next one takes over at once, and says so.
kill -9 "$running"
wait "$running" || true
[ -e "$lock" ] || fail "a killed run cannot remove its lock"
rm "$folder/progress.json"
# shellcheck disable=SC2086
begin next "${smoke[@]}" $long --resume
wait_for next at_work "$folder" train- 6
grep -q "taking over from svi-experiment (process .*): that process is dead" "$work/next.log" || fail "the take-over is not told"
kill -TERM "$running"
ends_with 3
[ ! -e "$lock" ] || fail "a stopped run left its lock"

# Of two that start at once, one works and one is refused.
codes=
begin first "${smoke[@]}" --overwrite
one=$running
begin second "${smoke[@]}" --overwrite
for pid in $one $running; do
  code=0
  wait "$pid" || code=$?
  codes="$codes $code"
done
[ "$codes" = " 0 2" ] || [ "$codes" = " 2 0" ] || fail "exit codes$codes of two starters"
refused "holds results already" "${smoke[@]}"
[ "$(ls -A "$work/results")" = smoke ] || fail "left behind: $(ls -A "$work/results")"

# On another host: believed while its heartbeat is young, taken over when it is old.
stranger() { printf 'svi lock 1\nprogram = svi-experiment\nhost = node7\nprocess = 7\nsince = then\nmachine = m\nstarted = 1\nidentity = 0123456789abcdef\nbeat = 000000000001\n' > "$lock"; }
stranger
refused "(process 7 on node7) is working on it since then, with a sign of life" "${smoke[@]}" --resume
stranger
touch -d "5 minutes ago" "$lock"
"${smoke[@]}" --resume > "$work/stale.log" 2>&1 || fail "a stale lock of another host"
grep -q "taking over from .*node7.*no sign of life for" "$work/stale.log" || fail "the take-over is not told"
echo "my notes" > "$lock"
refused "in the way" "${smoke[@]}" --resume
[ "$(cat "$lock")" = "my notes" ] || fail "a foreign file was changed"
rm "$lock"
[ "$(ls -A "$work/results")" = smoke ] || fail "left behind: $(ls -A "$work/results")"
echo "one run at a time"
