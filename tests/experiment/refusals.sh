#!/usr/bin/env bash
# What is wrong with files and machines is one clear error with exit code 2, and leaves nothing half-written.
source "$(dirname "$0")/common.sh"
ini=smoke
expect() {  # expect FRAGMENT ARGUMENTS...
  local fragment=$1 code=0
  shift
  "$program" "experiments/$ini.ini" --set experiment.results="$work/refused" --overwrite "$@" > "$work/refused.log" 2>&1 || code=$?
  [ "$code" -eq 2 ] || fail "exit code $code instead of 2 for: $*"
  grep -q -- "$fragment" "$work/refused.log" || fail "no '$fragment' for: $*"
}
expect "no GPU is seen" --set run.device=cuda
expect "is not a folder" --set model.folder=/nonexistent
mkdir "$work/model"
cp data/pocket/*.safetensors "$work/model"
truncate -s 1000 "$work/model/dit.safetensors"
expect "dit.safetensors" --set model.folder="$work/model"
cp data/pocket/vae.safetensors "$work/model/dit.safetensors"
expect "dit.safetensors" --set model.folder="$work/model"
expect "nearest" --set clip.frames=5 --set clip.height=30
expect "did you mean" --set method.type=naive_chian
expect "is in none of" --set experiment.plugins=no_such_plugin
expect "motion_frames" --set method.motion_frames=5
ini=mixkit
expect "data/none" --set data.path=data/none
if compgen -G "$work/refused/smoke/smoke.h5" > /dev/null; then fail "a refused run left a result file"; fi
echo "all refused"
