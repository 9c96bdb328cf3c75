#!/usr/bin/env bash
# The smoke experiment on one rank, undisturbed: what the tests that need one compare with, made once.
source "$(dirname "$0")/common.sh"
rm -rf "$reference"
run_reference || fail "one rank"
