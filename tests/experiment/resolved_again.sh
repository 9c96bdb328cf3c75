#!/usr/bin/env bash
# Running an experiment from its own resolved.ini gives the same numbers bit for bit.
source "$(dirname "$0")/common.sh"
ln -s "$reference" "$work/first"
"$program" "$work/first/smoke/resolved.ini" --set experiment.results="$work/again" > "$work/again.log" 2>&1 || fail "run of resolved.ini"
equal first again
# A finished run is left as it is, quickly; without --resume it is refused.
run_reference --resume || fail "resume of a finished run"
if run_reference; then fail "old results were overwritten without being asked"; fi
grep -q -- "--resume" "$work/reference.log" || fail "the refusal names no remedy"
if run_reference --resume --set training.steps=13; then fail "resumed with another configuration"; fi
grep -q "another configuration: in \[training\]" "$work/reference.log" || fail "the refusal does not name the difference"
echo "resolved.ini gives the same"
