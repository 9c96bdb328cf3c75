#!/usr/bin/env bash
# A bank that one run keeps is another's only source; its content belongs to that run. Sizes and single arms are set from
# the command line, and progress.json tells how far a run is.
source "$(dirname "$0")/common.sh"
small="--set evaluation.scenes=1 --set rollout.clips=2 --set pool.clips=8"
# shellcheck disable=SC2086  # the settings are words
writer() { run "$1" "$2" $small --set recycling.keep_bank=on --set experiment.seeds=0 "${@:3}"; }
writer 1 kept || fail "a run that keeps its bank"
writer 2 kept_by_two --set run.ranks_per_job=2 || fail "two ranks that keep a bank"
bank=$work/kept/smoke/banks/erft-seed0.safetensors
cmp "$bank" "$work/kept_by_two/smoke/banks/erft-seed0.safetensors" || fail "banks of 1 and 2 ranks differ"
[ -e "$work/kept/smoke/banks/rollout-seed0.safetensors" ] || fail "no bank of on-policy errors"
[ ! -e "$work/kept/smoke/banks/base-seed0.safetensors" ] || fail "a bank of an untrained arm"

# shellcheck disable=SC2086
reader() { run 1 reading $small --set experiment.seeds=0 --set error_source.type=recorded --set error_source.path="$work/bank" "$@"; }
if reader; then fail "ran without the bank it reads"; fi
grep -q "\[arm.erft\] reads errors from .*/bank, which does not exist; run the experiment" "$work/reading.log" || fail "no remedy"
cp "$bank" "$work/bank"
reader || fail "a run that reads a bank"
sha=$(sha256sum "$work/bank" | cut -d ' ' -f 1)
# Beside it stand files of metrics, the critic's among them.
grep -qE "^inputs = (.*, )?$sha $work/bank(,|\$)" "$work/reading/smoke/resolved.ini" || fail "the bank is not in resolved.ini"
h5dump -g /provenance "$work/reading/smoke/smoke.h5" | grep "sha256 $sha $work/bank" > /dev/null || fail "the bank is not in provenance"
reader --resume || fail "resume of a finished run"
cp "$work/kept/smoke/banks/rollout-seed0.safetensors" "$work/bank"
if reader --resume; then fail "resumed on another bank under the same name"; fi
grep -q "another configuration: in \[experiment\]" "$work/reading.log" || fail "the difference is not named"
if "$program" "$work/reading/smoke/resolved.ini" --set experiment.results="$work/again" > "$work/again.log" 2>&1; then
  fail "resolved.ini ran on another bank"
fi
grep -q "is not the file of \[experiment\] inputs" "$work/again.log" || fail "the other bank is not named"

sed -e 's/^\[arm.base\]/[size.tiny]\ntraining.steps = 2\narm.rollout.training.steps = 3\n[arm.base]/' \
  -e "s|^base = |name = smoke\nbase = $PWD/experiments/|" experiments/smoke.ini > "$work/sized.ini"
sized() { "$program" "$work/sized.ini" --size tiny --set experiment.results="$work/sized" "$@" > "$work/sized.log" 2>&1; }
sized --set experiment.seeds=0 --set arm.erft.training.steps=4 --set arm.erft.label=longer || fail "a run at another size"
resolved=$work/sized/smoke_tiny/resolved.ini
grep -q "^size = tiny\$" "$resolved" || fail "the size is not recorded"
if grep -q "^\[size" "$resolved"; then fail "resolved.ini still holds sizes"; fi
# Four steps for the longest arm, so four are missing of the untrained one and one of the third.
[ "$(h5dump -y -d /training/loss "$work/sized/smoke_tiny/smoke_tiny.h5" | grep -oi nan | wc -l)" -eq 5 ] || fail "steps of the arms"
if sized --size big; then fail "ran at a size that is not there"; fi
if sized --set arm.efrt.training.steps=1; then fail "set an option of an arm that is not there"; fi
grep -q "arms: base, erft, rollout" "$work/sized.log" || fail "the arms are not named"

"$program" --watch "$work/sized/smoke_tiny" > "$work/watch.log" || fail "watching a finished run"
grep -q "smoke_tiny at size tiny: complete" "$work/watch.log" || fail "watching does not tell the end"
echo "banks, sizes and progress are as they should be"
