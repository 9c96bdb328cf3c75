#!/usr/bin/env bash
# A results folder: what svi-experiment did not make is never lost, and a start that failed is not in the way.
source "$(dirname "$0")/common.sh"
results=$work/results
attempt() { "$program" experiments/smoke.ini --set experiment.results="$results" "$@" > "$work/out.log" 2>&1; }
refused() {  # refused FRAGMENT ARGUMENTS...
  local fragment=$1 code=0
  shift
  attempt "$@" || code=$?
  [ "$code" -eq 2 ] || fail "exit code $code instead of 2 for: $*"
  grep -qF -- "$fragment" "$work/out.log" || fail "no '$fragment' for: $*"
}
sum() { (cd "$1" && find . -type f -o -type l | sort | xargs sha256sum); }

# Folders of others.
mkdir -p "$results/thesis/lora" "$results/other"
echo precious > "$results/thesis/chapter.txt"
echo precious > "$results/thesis/lora/mine.safetensors"
before=$(sum "$results")
refused "was not made by svi" --set experiment.name=thesis --overwrite
echo precious > "$results/other/summary.json"
before=$(sum "$results")
refused "was not made by svi" --set experiment.name=other --overwrite
refused "holds summary.json" --set experiment.name=other
ln -s "$results/thesis" "$results/link"
refused "was not made by svi" --set experiment.name=link --overwrite
rm "$results/link"
echo precious > "$results/smoke" && refused "is no folder" && rm "$results/smoke"
[ "$(sum "$results")" = "$before" ] || fail "a foreign folder was changed"

# A start that failed leaves nothing behind; what kill -9 leaves does not refuse the corrected command.
refused "none" --set model.folder=none
refused "nearest" --set clip.height=30
[ ! -e "$results/smoke" ] || fail "a refused run left its folder: $(find "$results/smoke")"
mkdir "$results/smoke" && printf 'svi experiment\n' > "$results/smoke/.svi" && echo '[experiment]' > "$results/smoke/resolved.ini"
attempt || fail "refused after a start that failed"

# Everything is checked before results are replaced.
before=$(sum "$results/smoke")
refused "holds results already"
refused "none" --set model.folder=none --overwrite
refused "nearest" --set clip.height=30 --overwrite
refused "no GPU is seen" --set run.device=cuda --overwrite
refused "which [arm." --overwrite --set model.dit="$(find "$results/smoke/lora" -name "*.safetensors" | head -1)"
[ "$(sum "$results/smoke")" = "$before" ] || fail "a refused --overwrite changed the results"

# Files of others among the results stay.
echo notes > "$results/smoke/notes.txt"
echo mine > "$results/smoke/lora/mine.safetensors"
ln "$results/smoke/smoke.h5" "$work/hard.h5"
attempt --overwrite || fail "--overwrite of svi's own results"
grep -q "notes.txt" "$work/out.log" || fail "what stays is not named"
[ -e "$results/smoke/notes.txt" ] && [ -e "$results/smoke/lora/mine.safetensors" ] || fail "a foreign file was lost"
h5diff "$work/hard.h5" "$results/smoke/smoke.h5" /metrics || fail "the run that replaced the results is another"

# Names and threads, by --validate too.
long=$(printf 'a%.0s' $(seq 225))
sed -e "s/^\[arm\.erft\]/[arm.$long]/" -e "s|^base = |name = smoke\nbase = $PWD/experiments/|" experiments/smoke.ini > "$work/long.ini"
code=0
"$program" "$work/long.ini" --validate > "$work/out.log" 2>&1 || code=$?
[ "$code" -eq 2 ] && grep -q "the name of \[arm.$long\] is too long" "$work/out.log" || fail "a long name of an arm passes"
refused "is too long" --validate --set experiment.name="$long$long"
refused "this machine has" --validate --set run.threads=1000
refused "leaves nothing to generate in a clip of 5 frames; the nearest that works: motion_frames = 4, or clips of 9 frames" \
  --validate --set method.motion_frames=5
refused "cannot be written to" --validate --set experiment.results=/proc/results
refused 'svi-experiment experiments/smoke.ini' y.ini
echo "all safe"
