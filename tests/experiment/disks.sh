#!/usr/bin/env bash
# Disks that refuse: file systems without locks serve all the same, or are found out before the first step; full disks and
# folders that cannot be written to are told with what is needed and what is free.
source "$(dirname "$0")/common.sh"
small="--set evaluation.scenes=1 --set rollout.clips=2 --set pool.clips=8 --set experiment.seeds=0"
# A stand-in for such disks: flock fails, and writes beyond a limit into files of a certain name fail.
gcc -shared -fPIC -O1 "$(dirname "$0")/refusing_disk.c" -o "$work/disk.so" -ldl
on_disk() {  # on_disk RANKS NAME VARIABLES [ARGUMENTS...]: the smoke experiment on that disk
  local ranks=$1 name=$2 variables=$3 code=0
  shift 3
  # shellcheck disable=SC2086  # variables and settings are words
  env $variables "$mpiexec" -n "$ranks" --oversubscribe env LD_PRELOAD="$work/disk.so" "$program" experiments/smoke.ini $small \
    --set experiment.results="$work/$name" "$@" > "$work/$name.log" 2>&1 || code=$?
  echo "$code"
}
refused() {  # refused CODE NAME FRAGMENT
  [ "$1" -eq 2 ] || fail "exit code $1 instead of 2"
  grep -q -- "$3" "$work/$2.log" || fail "no '$3'"
}

[ "$(on_disk 1 unlocked NO_LOCKS=1)" -eq 0 ] || fail "a run on a disk without locks"
code=$(on_disk 1 locked "NO_LOCKS=1 HDF5_USE_FILE_LOCKING=TRUE")
refused "$code" locked "HDF5 cannot keep results there.*HDF5_USE_FILE_LOCKING=FALSE"
if grep -q "job .* started" "$work/locked.log"; then fail "found out after the first step"; fi

for ranks in 1 2; do
  code=$(on_disk "$ranks" full$ranks "FULL_FILES=smoke.h5 FULL_BYTES=2000")
  refused "$code" full$ranks "No space left on device"
  [ ! -e "$work/full$ranks/smoke/smoke.h5" ] || fail "a cut result"
  [ "$(on_disk "$ranks" full$ranks NONE=1 --resume)" -eq 0 ] || fail "going on once there is room"
done
code=$(on_disk 1 part "FULL_FILES=eval-base FULL_BYTES=1000")
refused "$code" part "needs [0-9]* bytes, [0-9]* are free in"
if compgen -G "$work/part/smoke/parts/.*" > /dev/null; then fail "remains of a part"; fi

# A flipped bit in the newest checkpoint: the one before is taken, and the end is the same.
steps="--set training.steps=24 --set run.checkpoint_steps=4"
# shellcheck disable=SC2086
run 1 whole $small $steps || fail "undisturbed run"
# shellcheck disable=SC2086
begin flipped "$program" experiments/smoke.ini $small $steps --set experiment.results="$work/flipped"
checkpoints() { [ "$(compgen -G "$work/flipped/smoke/checkpoints/train-erft*/step-*.safetensors" | wc -l)" -eq 2 ]; }
wait_for flipped checkpoints
kill -9 "$running"
wait "$running" || true
newest=$(compgen -G "$work/flipped/smoke/checkpoints/train-*/step-*.safetensors" | sort | tail -n 1)
python3 - "$newest" <<'P'
import sys
with open(sys.argv[1], "r+b") as file:
    file.seek(-100, 2)
    byte = file.read(1)[0]
    file.seek(-100, 2)
    file.write(bytes([byte ^ 1]))
P
# shellcheck disable=SC2086
run 1 flipped $small $steps --resume || fail "resumed run"
grep -q "passing over a damaged checkpoint: $newest.*checksum" "$work/flipped.log" || fail "the damage is not told"
grep -q "going on from .*step-" "$work/flipped.log" || fail "the one taken is not told"
equal whole flipped

# Folders that are none, or cannot be written to.
touch "$work/file"
for results in "$work/file" "$work/file/below" /proc/results /sys/results; do
  code=0
  "$program" experiments/smoke.ini --set experiment.results="$results" > "$work/folder.log" 2>&1 || code=$?
  refused "$code" folder "$results"
  [ "$(wc -l < "$work/folder.log")" -eq 1 ] || fail "more than one line for $results"
done
echo "refused, or gone on"
