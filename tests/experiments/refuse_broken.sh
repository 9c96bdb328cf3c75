#!/usr/bin/env bash
# Each file in broken/ begins with "# expect: fragment"; the program must refuse it with exit code 2, in one
# line that holds the fragment.   refuse_broken.sh PROGRAM
set -euo pipefail
program=$1
folder=$(dirname "$0")/broken
failures=0
count=0
for file in "$folder"/*.ini; do
  expected=$(sed -n '1s/^# expect: //p' "$file")
  code=0
  output=$("$program" "$file" --validate 2>&1 < /dev/null) || code=$?
  problem=
  [ -n "$expected" ] || problem="no '# expect:' in its first line"
  [ "$code" -eq 2 ] || problem="exit code $code instead of 2"
  [ "$(wc -l <<< "$output")" -eq 1 ] || problem="more than one line"
  grep -qF -- "$expected" <<< "$output" || problem="no '$expected'"
  if [ -n "$problem" ]; then
    printf '%s: %s in:\n%s\n' "$file" "$problem" "$output" >&2
    failures=$((failures + 1))
  fi
  count=$((count + 1))
done
echo "$((count - failures)) of $count broken files refused as they should be"
[ "$count" -gt 0 ] && [ "$failures" -eq 0 ]
