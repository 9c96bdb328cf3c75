#!/usr/bin/env bash
# An extension trained beside an adapter: the same file on any number of ranks and after kill -9, and a file to start from.
source "$(dirname "$0")/common.sh"
file=plugins/audio_attention/sounding_light.ini
# Steps enough that a training with a checkpoint is still in work when it is killed.
small="--set training.steps=60 --set arm.deaf.training.steps=0 --set training.slots=2 --set training.micro_batch=1 --set pool.clips=8
  --set run.checkpoint_steps=2 --set evaluation.videos=0 --set run.ranks_per_job=2"
voice=sounding_light/lora/hearing-seed0.extension-voice.safetensors

# listen RANKS NAME [ARGUMENTS]: the experiment into $work/NAME.
listen() {
  local ranks=$1 name=$2
  shift 2
  # shellcheck disable=SC2086
  "$mpiexec" -n "$ranks" --oversubscribe "$program" $file $small --set experiment.results="$work/$name" "$@" \
    > "$work/$name.log" 2>&1
}
has_checkpoint() { [ -n "$(ls -A "$1" 2> /dev/null)" ]; }
same() {
  cmp "$work/$1/$voice" "$work/$2/$voice" || fail "extensions of $1 and $2 differ"
  cmp "$work/$1/sounding_light/summary.json" "$work/$2/sounding_light/summary.json" || fail "films of $1 and $2 differ"
}

listen 1 one --set run.ranks_per_job=1 || fail "one rank"
[ ! -e "$work/one/sounding_light/lora/deaf-seed0.extension-voice.safetensors" ] || fail "the deaf arm has an extension"
listen 2 two || fail "two ranks"
same one two

# shellcheck disable=SC2086
begin killed "$program" $file $small --set run.ranks_per_job=1 --set experiment.results="$work/killed"
wait_for killed has_checkpoint "$work/killed/sounding_light/checkpoints/train-hearing-s0"
kill -9 "$running"
wait "$running" 2> /dev/null || true
[ ! -e "$work/killed/$voice" ] || fail "it was not killed in training"
listen 1 killed --set run.ranks_per_job=1 --resume || fail "resumed run"
same one killed

# Kept as it is: the file that comes out is the one that went in.
start="--set arm.hearing.extension.voice.file=$work/one/$voice"
# shellcheck disable=SC2086
listen 1 kept --set run.ranks_per_job=1 $start --set arm.hearing.extension.voice.train=off --set training.steps=2 || fail "from a file"
cmp "$work/one/$voice" "$work/kept/$voice" || fail "a file that is not trained has changed"

# refused TEXT ARGUMENTS...: exit code 2 and that text, before anything is computed.
refused() {
  local text=$1 code=0
  shift
  listen 1 refused --set run.ranks_per_job=1 "$@" || code=$?
  [ "$code" -eq 2 ] || fail "exit code $code instead of 2 for $*"
  grep -qF -- "$text" "$work/refused.log" || fail "no '$text'"
}
# shellcheck disable=SC2086
refused "audio.proj.0.weight: expected [16, 4], found [32, 4]" $start --set arm.hearing.extension.voice.width=16
refused "which does not exist" --set arm.hearing.extension.voice.file=no.safetensors
refused "has no track 'audio', which a model extension reads; it has none" --set data.type=pocket_world
refused "track 'audio' has 8 frames, but 9 are needed" --set data.frames=8
refused "[evaluation] split = on, but [extension.voice]" --set evaluation.split=on
refused "condition.audio has 5 frames" --set arm.hearing.extension.voice.stride=2
