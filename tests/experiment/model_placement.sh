#!/usr/bin/env bash
# Films of an experiment in bf16, and with blocks that come from their file: the same numbers where only the place differs.
source "$(dirname "$0")/common.sh"
small="--set evaluation.scenes=1 --set rollout.clips=2 --set pool.clips=8 --set experiment.seeds=0 --set training.steps=2"
# shellcheck disable=SC2086  # the settings are words
{
  run 1 whole $small || fail "as usual"
  run 1 streamed $small --set model.resident_blocks=1 || fail "blocks that do not stay: $(tail -n 3 "$work/streamed.log")"
  run 1 half $small --set model.dtype=bf16 || fail "in bf16: $(tail -n 3 "$work/half.log")"
}
films() { echo "$work/$1/smoke/smoke.h5"; }
h5diff --delta=1e-4 "$(films whole)" "$(films streamed)" /metrics/clip/psnr || fail "blocks that do not stay change the films"
h5diff --delta=3 "$(films whole)" "$(films half)" /metrics/clip/psnr || fail "bf16 is another model"
if h5diff --delta=1e-7 "$(films whole)" "$(films half)" /metrics/clip/psnr > /dev/null; then fail "bf16 did not reach the films"; fi
