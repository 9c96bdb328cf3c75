#!/usr/bin/env bash
# Tasks that a launcher started and MPI does not join are refused before they do anything; batch scripts, shells of an
# allocation and mpirun inside one are not. So are missing folders of temporary files.
source "$(dirname "$0")/common.sh"
shift 2
programs=("$program" "$@")
refused() {  # refused FRAGMENT VARIABLE=VALUE...: by every program
  local fragment=$1 each code
  shift
  for each in "${programs[@]}"; do
    code=0
    env "$@" "$each" --version > "$work/refused.log" 2>&1 || code=$?
    [ "$code" -eq 2 ] || fail "exit code $code instead of 2 for $*: $each"
    grep -q -- "$fragment" "$work/refused.log" || fail "no '$fragment' for $*: $each"
    [ "$(wc -l < "$work/refused.log")" -eq 1 ] || fail "more than one line for $*: $each"
  done
}
accepted() {
  local each
  for each in "${programs[@]}"; do
    env "$@" "$each" --version > "$work/accepted.log" 2>&1 || fail "refused for $*: $each"
  done
}
for task in 0 1; do
  refused "Slurm started 2 tasks .*--mpi=pmix.*SVI_SINGLE_RANK=1" SLURM_JOB_ID=1 SLURM_STEP_ID=0 SLURM_PROCID=$task SLURM_NTASKS=2
done
refused "started 4 tasks" PMI_SIZE=4 PMI_RANK=0
refused "PALS" PALS_RANKID=1
refused "Flux" FLUX_JOB_SIZE=2 FLUX_TASK_RANK=0
accepted SLURM_JOB_ID=1 SLURM_STEP_ID=0 SLURM_PROCID=1 SLURM_NTASKS=2 SVI_SINGLE_RANK=1
accepted SLURM_JOB_ID=1 SLURM_PROCID=0 SLURM_NTASKS=4
accepted SLURM_JOB_ID=1 SLURM_STEP_ID=4294967290 SLURM_PROCID=0 SLURM_NTASKS=4
accepted SLURM_JOB_ID=1 SLURM_STEP_ID=0 SLURM_PROCID=0 SLURM_NTASKS=1 SLURM_ARRAY_TASK_ID=3
for each in "${programs[@]}"; do
  env SLURM_JOB_ID=1 SLURM_STEP_ID=0 SLURM_PROCID=0 SLURM_NTASKS=2 "$mpiexec" -n 1 "$each" --version > "$work/mpirun.log" 2>&1 ||
    fail "mpirun inside a job was refused: $each"
done
for variable in TMPDIR TEMP TMP; do
  refused "$variable = $work/none: No such file or directory" -u TMPDIR -u TEMP -u TMP $variable="$work/none"
done
[ ! -e "$work/none" ] || fail "the missing folder was made"
touch "$work/file"
refused "is no folder" TMPDIR="$work/file"
echo "launchers are told apart"
