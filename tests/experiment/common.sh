# Shared by the tests of this folder: `source common.sh PROGRAM MPIEXEC`.
# shellcheck shell=bash
set -euo pipefail
program=$1
mpiexec=$2
reference=${SVI_SMOKE_REFERENCE:-}  # a folder: the smoke experiment on one rank (reference.sh)
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_mpi_yield_when_idle=1 OMP_NUM_THREADS=1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# run RANKS NAME [ARGUMENTS]: the smoke experiment into $work/NAME.
run() {
  local ranks=$1 name=$2
  shift 2
  "$mpiexec" -n "$ranks" --oversubscribe "$program" experiments/smoke.ini \
    --set experiment.results="$work/$name" "$@" > "$work/$name.log" 2>&1
}

# run_reference [ARGUMENTS]: the same on one rank into the folder that tests share.
run_reference() {
  "$mpiexec" -n 1 "$program" experiments/smoke.ini --set experiment.results="$reference" "$@" > "$work/reference.log" 2>&1
}

fail() {
  echo "FAILED: $*"
  tail -n 30 "$work"/*.log
  exit 1
}

# equal A B: every number, adapter and table of two runs, bit for bit.
equal() {
  local a=$work/$1/smoke b=$work/$2/smoke
  h5diff "$a/smoke.h5" "$b/smoke.h5" /metrics || fail "metrics of $1 and $2 differ"
  h5diff "$a/smoke.h5" "$b/smoke.h5" /cost || fail "costs of $1 and $2 differ"
  h5diff "$a/smoke.h5" "$b/smoke.h5" /training || fail "training curves of $1 and $2 differ"
  h5diff "$a/smoke.h5" "$b/smoke.h5" /diagnostic || fail "diagnostics of $1 and $2 differ"
  cmp "$a/summary.json" "$b/summary.json" || fail "summaries of $1 and $2 differ"
  local lora
  for lora in "$a"/lora/*.safetensors; do
    cmp "$lora" "$b/lora/$(basename "$lora")" || fail "adapters of $1 and $2 differ"
  done
  [ "$(find "$a/lora" -name '*.safetensors' | wc -l)" -gt 0 ] || fail "no adapter was written"
}

# begin NAME ARGUMENTS...: runs "$@" of the caller's choice in the background into $work/NAME.log; its process is $running.
begin() {
  local name=$1
  shift
  : > "$work/$name.log"  # before the run begins: what an earlier one said is no sign of this one
  "$@" > "$work/$name.log" 2>&1 &
  running=$!
}

# wait_for NAME TEST...: until the test succeeds, while the run that was begun is alive.
wait_for() {
  local name=$1
  shift
  until "$@"; do
    kill -0 "$running" 2> /dev/null || fail "the run $name ended before: $*"
    sleep 0.05
  done
}

# at_work FOLDER JOB STEPS: whether progress.json tells that a job whose name begins so is so far.
at_work() {
  [ -e "$1/progress.json" ] || return 1
  awk -F '[:,]' -v job="\"$2" -v least="$3" '
    /"name"/ { of_it = index($2, job) == 2 }
    /"state"/ { running = index($2, "running") > 0 }
    /"steps"/ && of_it && running && $2 + 0 >= least { found = 1 }
    END { exit !found }' "$1/progress.json"
}

# ends_with CODE: the run that was begun ends with that exit code.
ends_with() {
  local code=0
  wait "$running" || code=$?
  [ "$code" -eq "$1" ] || fail "exit code $code instead of $1"
}
