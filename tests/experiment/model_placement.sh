#!/usr/bin/env bash
# Films of an experiment in bf16, in 8 bits, with adapters, by ranks together, and with blocks that come from their file:
# the same numbers where only the place differs, and the films of svi-generate.
source "$(dirname "$0")/common.sh"
small="--set evaluation.scenes=1 --set rollout.clips=2 --set pool.clips=8 --set experiment.seeds=0 --set training.steps=2"
# shellcheck disable=SC2086  # the settings are words
{
  run 1 whole $small || fail "as usual"
  run 1 streamed $small --set model.resident_blocks=1 || fail "blocks that do not stay: $(tail -n 3 "$work/streamed.log")"
  run 2 split $small --set evaluation.split=on --set run.ranks_per_job=2 ||
    fail "each pass by two ranks: $(tail -n 3 "$work/split.log")"
  run 1 half $small --set model.dtype=bf16 || fail "in bf16: $(tail -n 3 "$work/half.log")"
}
films() { echo "$work/$1/smoke/smoke.h5"; }
h5diff --delta=1e-4 "$(films whole)" "$(films streamed)" /metrics/clip/psnr || fail "blocks that do not stay change the films"
h5diff --delta=1e-4 "$(films whole)" "$(films split)" /metrics/clip/psnr || fail "two ranks together make other films"
h5diff "$(films whole)" "$(films split)" /cost || fail "two ranks together count another cost"
h5dump -d /timing/peak_memory "$(films whole)" | grep -E ' [1-9][0-9]{7,}| [1-9][0-9.]*e\+(0[7-9]|1[0-9])' > /dev/null || fail "no memory was measured"
h5diff --delta=3 "$(films whole)" "$(films half)" /metrics/clip/psnr || fail "bf16 is another model"
if h5diff --delta=1e-7 "$(films whole)" "$(films half)" /metrics/clip/psnr > /dev/null; then fail "bf16 did not reach the films"; fi

# One class opens weights here and there: 8 bits and two adapters with strengths give the film of svi-generate.
one="--set evaluation.scenes=1 --set evaluation.videos=1 --set evaluation.upscale=8 --set rollout.clips=1 --set pool.clips=8
  --set experiment.seeds=0 --set training.steps=2 --set sampler.steps=4 --set sampler.shift=3 --set method.type=naive_chain"
adapter=data/pocket/erft.safetensors
# shellcheck disable=SC2086
{
  run 1 eight $one --set model.int8=on --set model.lora=$adapter=0.5,$adapter || fail "in 8 bits: $(tail -n 3 "$work/eight.log")"
  run 1 plain $one || fail "without an adapter"
}
grep -q "layers in 8 bits" "$work/eight.log" || fail "nothing was kept in 8 bits"
h5dump -g /provenance "$work/eight/smoke/smoke.h5" | grep "weights erft.safetensors" > /dev/null || fail "the adapter is not in provenance"
"$(dirname "$program")/svi-generate" --threads 1 --clips 1 --steps 4 --set film.scene=0 --int8 --lora $adapter=0.5 --lora $adapter --out "$work/film.mp4" \
  > "$work/film.log" 2>&1 || fail "svi-generate"
# psnr A: of the film of an experiment against that of svi-generate, in dB; "inf" where they are equal.
psnr() {
  ffmpeg -i "$1" -i "$work/film.mp4" -lavfi psnr -f null - 2>&1 | sed -n 's/.*average:\([a-z0-9]*\).*/\1/p'
}
same=$(psnr "$work/eight/smoke/videos/base/scene0.mp4") other=$(psnr "$work/plain/smoke/videos/base/scene0.mp4")
echo "the film of svi-generate: $same dB; without 8 bits and adapters: $other dB"
# Both files are compressed, in groups of other frames. tests/pretrained compares the transformers bit for bit.
[ "$same" = inf ] || [ "$same" -ge 55 ] || fail "8 bits and adapters give another film than svi-generate: $same dB"
[ "$other" != inf ] && [ "$other" -lt 45 ] || fail "8 bits and adapters did not reach the films: $other dB"

# refused TEXT ARGUMENTS...: exit code 2 and that text, before anything is computed.
refused() {
  local text=$1 code=0
  shift
  run 1 refused "$@" || code=$?
  [ "$code" -eq 2 ] || fail "exit code $code instead of 2 for $*"
  grep -qF -- "$text" "$work/refused.log" || fail "no '$text'"
}
refused "[model] lora = none.safetensors" --set model.lora=none.safetensors
refused "data/pocket/vae.safetensors" --set model.lora=data/pocket/vae.safetensors
refused "erft.safetensors=x" --set model.lora=$adapter=x
