# Shared by the tests of this folder: `source common.sh PROGRAM MPIEXEC`.
set -euo pipefail
program=$1
mpiexec=$2
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

fail() {
  echo "FAILED: $*"
  tail -n 30 "$work"/*.log
  exit 1
}

# equal A B: every number, adapter and table of two runs, bit for bit.
equal() {
  local a=$work/$1/smoke b=$work/$2/smoke
  h5diff "$a/smoke.h5" "$b/smoke.h5" /metrics || fail "metrics of $1 and $2 differ"
  h5diff "$a/smoke.h5" "$b/smoke.h5" /training || fail "training curves of $1 and $2 differ"
  h5diff "$a/smoke.h5" "$b/smoke.h5" /diagnostic || fail "diagnostics of $1 and $2 differ"
  cmp "$a/summary.json" "$b/summary.json" || fail "summaries of $1 and $2 differ"
  local lora
  for lora in "$a"/lora/*.safetensors; do
    cmp "$lora" "$b/lora/$(basename "$lora")" || fail "adapters of $1 and $2 differ"
  done
  [ "$(find "$a/lora" -name '*.safetensors' | wc -l)" -gt 0 ] || fail "no adapter was written"
}
