#!/usr/bin/env bash
# A signal stops a run within a step: checkpoint, exit code 3, progress "stopped", no lock left; with --resume the end is
# that of a run nobody stopped, bit for bit, on any number of ranks and whichever rank the signal reaches.
source "$(dirname "$0")/common.sh"
# Checkpoints are written at a signal only.
settings="--set training.steps=40 --set arm.rollout.training.steps=0 --set experiment.seeds=0 --set run.checkpoint_steps=100000"
# Films long enough that a signal finds them in work.
settings="$settings --set evaluation.scenes=2 --set rollout.clips=12"
# shellcheck disable=SC2086  # the settings are words
run 1 whole $settings || fail "undisturbed run"

# stopped NAME SIGNAL JOB RANKS SHARED [mpirun]: runs until a job starts, and signals the last rank, or mpirun.
stopped() {
  local name=$1 signal=$2 job=$3 ranks=$4 shared=$5 folder=$work/$1/smoke victim patience=5
  # A signal to mpirun gives ranks that long to end; after one to a rank, mpirun waits it out in vain.
  [ "${6:-}" != mpirun ] || patience=15
  # shellcheck disable=SC2086
  begin "$name" env OMPI_MCA_odls_base_sigkill_timeout=$patience "$mpiexec" -n "$ranks" --oversubscribe "$program" experiments/smoke.ini \
    $settings --set experiment.results="$work/$name" --set run.ranks_per_job="$shared" --resume
  wait_for "$name" grep -q "job $job.* started" "$work/$name.log"
  [[ $job == eval-* ]] || sleep 0.2
  victim=$running
  if [ "${6:-}" != mpirun ]; then
    victim=$(pgrep -f "svi-experiment .*experiment.results=$work/$name " | while read -r pid; do
      grep -qz "OMPI_COMM_WORLD_RANK=$((ranks - 1))" "/proc/$pid/environ" 2> /dev/null && echo "$pid"; done | tail -n 1 || true)
    [ -n "$victim" ] || fail "found no rank to signal"
  fi
  kill "-$signal" "$victim"
  ends_with 3
  grep -q '"state": "stopped"' "$folder/progress.json" || fail "$signal: progress.json does not tell the stop"
  grep -q "smoke: stopped by .*; the same command with --resume goes on" "$work/$name.log" || fail "$signal: the stop is not told"
  [ ! -e "$folder.lock" ] || fail "$signal: the lock stays"
  [ -e "$folder/parts/train-erft-s0.h5" ] || compgen -G "$folder/checkpoints/train-erft-s0/step-*.safetensors" > /dev/null ||
    fail "$signal: no checkpoint"
}

stopped one TERM train-erft 1 1
stopped one INT train-erft 1 1
stopped one USR1 eval- 1 1
run 1 one $settings --resume || fail "resumed run"
equal whole one
stopped shared USR1 train-erft 2 2
stopped shared USR2 train-erft 2 2 mpirun
stopped shared TERM train-erft 2 2 mpirun
run 2 shared $settings --resume || fail "resumed run on two ranks"
equal whole shared
# The second rank waits for work, or has films of the untrained arms.
stopped apart TERM train-erft 2 1
code=0
"$program" --watch "$work/apart/smoke" > "$work/watch.log" 2>&1 || code=$?
[ "$code" -eq 3 ] || fail "watching a stopped run: exit code $code"
run 2 apart $settings --resume || fail "resumed run of two teams"
equal whole apart
echo "stopped and gone on, ended the same"
