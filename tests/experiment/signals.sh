#!/usr/bin/env bash
# A signal stops a run within a step: checkpoint, exit code 3, progress "stopped", no lock left; with --resume the end is
# that of a run nobody stopped, bit for bit, on any number of ranks and whichever rank the signal reaches. A signal after
# the results are written, and a reader who leaves, cost nothing.
source "$(dirname "$0")/common.sh"
# Checkpoints are written at a signal only. Steps and films are many enough that a job that has begun is still at work
# when the script has seen it and holds the ranks; from then on nothing depends on time.
settings="--set training.steps=40 --set arm.rollout.training.steps=0 --set experiment.seeds=0 --set run.checkpoint_steps=100000"
settings="$settings --set evaluation.scenes=2 --set rollout.clips=12"

# ranks_of NAME: the processes of its ranks, the last one last.
ranks_of() {
  pgrep -f "svi-experiment .*experiment.results=$work/$1 " | while read -r pid; do
    tr '\0' '\n' < "/proc/$pid/environ" 2> /dev/null | sed -n "s/^OMPI_COMM_WORLD_RANK=\([0-9]*\)$/\1 $pid/p"
  done | sort -n | cut -d ' ' -f 2
}
held() {  # held PID...: whether all are
  local pid
  for pid in "$@"; do
    grep -q '^State:.T' "/proc/$pid/status" 2> /dev/null || return 1
  done
}
# arrived SIGNAL PID...: whether each has that signal before it; holds those that mpirun has let go on, as it does a while
# before it passes SIGTERM on.
arrived() {
  local bit=$((1 << ($(kill -l "$1") - 1))) pid pending
  shift
  kill -STOP "$@" || return 1
  for pid in "$@"; do
    pending=$(sed -n 's/^ShdPnd:\t//p' "/proc/$pid/status")
    (((16#$pending & bit) != 0)) || return 1
  done
}

# stopped NAME SIGNAL JOB RANKS SHARED [mpirun]: runs until a job starts, and signals the last rank, or mpirun.
stopped() {
  local name=$1 signal=$2 job=$3 ranks=$4 shared=$5 folder=$work/$1/smoke patience=5 processes
  # After a signal to itself, mpirun waits that long before SIGTERM, and again before SIGKILL; after one to a rank, it
  # waits it out in vain.
  [ "${6:-}" != mpirun ] || patience=15
  # shellcheck disable=SC2086
  begin "$name" env OMPI_MCA_odls_base_sigkill_timeout=$patience "$mpiexec" -n "$ranks" --oversubscribe "$program" experiments/smoke.ini \
    $settings --set experiment.results="$work/$name" --set run.ranks_per_job="$shared" --resume
  wait_for "$name" grep -q "job $job.* started" "$work/$name.log"
  mapfile -t processes < <(ranks_of "$name")
  [ "${#processes[@]}" -eq "$ranks" ] || fail "found ${#processes[@]} ranks to hold"
  kill -STOP "${processes[@]}"
  wait_for "$name" held "${processes[@]}"
  grep -q '"state": "running"' "$folder/progress.json" || fail "$signal: the run was over too soon to be signalled"
  if [ "${6:-}" = mpirun ]; then
    kill "-$signal" "$running"
    wait_for "$name" arrived "$signal" "${processes[@]}"
  else
    kill "-$signal" "${processes[-1]}"
  fi
  kill -CONT "${processes[@]}"
  if [ "$signal ${6:-}" = "TERM mpirun" ]; then
    wait "$running" && fail "$signal: mpirun ends as if the run were complete"  # with 3 or with a code of its own
  else
    ends_with 3
  fi
  grep -q '"state": "stopped"' "$folder/progress.json" || fail "$signal: progress.json does not tell the stop"
  grep -q "smoke: stopped by .*; the same command with --resume goes on" "$work/$name.log" || fail "$signal: the stop is not told"
  [ ! -e "$folder.lock" ] || fail "$signal: the lock stays"
  [ -e "$folder/parts/train-erft-s0.h5" ] || compgen -G "$folder/checkpoints/train-erft-s0/step-*.safetensors" > /dev/null ||
    fail "$signal: no checkpoint"
}

# The undisturbed run; who reads what it says leaves at once.
# shellcheck disable=SC2086  # the settings are words
{ "$program" experiments/smoke.ini $settings --set experiment.results="$work/whole" 2>&1 && touch "$work/whole.ended"; } |
  head -n 1 > "$work/whole.log" || true
[ -e "$work/whole.ended" ] || fail "the run ended when its reader left"

stopped one TERM train-erft 1 1
stopped one INT train-erft 1 1
stopped one USR1 eval- 1 1
# shellcheck disable=SC2086
run 1 one $settings --resume || fail "resumed run"
equal whole one
stopped shared USR1 train-erft 2 2
stopped shared USR2 train-erft 2 2 mpirun
stopped shared TERM train-erft 2 2 mpirun
# shellcheck disable=SC2086
run 2 shared $settings --resume || fail "resumed run on two ranks"
equal whole shared
# The second rank waits for work, or has films of the untrained arms.
stopped apart TERM train-erft 2 1
code=0
"$program" --watch "$work/apart/smoke" > "$work/watch.log" 2>&1 || code=$?
[ "$code" -eq 3 ] || fail "watching a stopped run: exit code $code"
# shellcheck disable=SC2086
run 2 apart $settings --resume || fail "resumed run of two teams"
equal whole apart

# In the last moment: the table of results finds no room in the pipe until the signal is there.
small="--set evaluation.scenes=1 --set rollout.clips=2 --set pool.clips=8 --set experiment.seeds=0"
mkfifo "$work/pipe"
exec 8<> "$work/pipe"
python3 -c 'import os; os.set_blocking(8, False)
try:
    while os.write(8, b"\n"): pass
except BlockingIOError: os.set_blocking(8, True)'
# shellcheck disable=SC2086
"$program" experiments/smoke.ini $small --set experiment.results="$work/late" > "$work/pipe" 2> "$work/late.log" 8>&- &
running=$!
wait_for late grep -qs '"state": "complete"' "$work/late/smoke/progress.json"
kill -TERM "$running"
cat <&8 > /dev/null &
reader=$!
ends_with 3
kill "$reader"
grep -q "smoke: complete; SIGTERM came when there was no job left" "$work/late.log" || fail "the late signal is not told"
# shellcheck disable=SC2086
run 1 late $small --resume || fail "nothing is left to do after a late signal"
echo "stopped and gone on, ended the same"
