#!/usr/bin/env bash
# 1, 2 and 4 ranks give the same numbers bit for bit, whether ranks take jobs of their own or share one.
source "$(dirname "$0")/common.sh"
ln -s "$reference" "$work/one"
run 2 two || fail "two ranks"
run 2 shared --set run.ranks_per_job=2 || fail "two ranks on one job"
run 4 four --set run.ranks_per_job=4 || fail "four ranks on one job"
for other in two shared four; do equal one $other; done
echo "1, 2 and 4 ranks agree"
