#!/usr/bin/env bash
# One process at a time makes a film; signals stop it within a step, on any rank; damaged latents are noticed and made again.
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh" "$@"

begin() {  # begin ARGUMENTS...: a film in the background, until it holds its lock and a latent is there
  rm -f long.txt
  "$generate" --threads 1 --steps 2 --cfg 1 --clips 400 --out long.mp4 "$@" > long.txt 2>&1 &
  process=$!
  until compgen -G "long.film/clip-*.h5" > /dev/null && grep -qsx "process = $process" long.film.lock; do
    kill -0 "$process" 2> /dev/null || fail "ended early: $(cat long.txt)"
    sleep 0.05
  done
}
ends_with() {
  local code=0
  wait "$process" || code=$?
  [ "$code" -eq "$1" ] || fail "exit code $code instead of $1: $(cat long.txt)"
}

begin
holder="svi-generate (process $process on $(hostname)) is working on it since"
for how in --resume --overwrite --redecode ""; do
  # shellcheck disable=SC2086
  refused "$holder" --clips 400 --out long.mp4 $how
done
refused "name another --out" --clips 400 --out ./long.mp4 --resume
[ -e long.film.lock ] || fail "a refused film took the lock away"
make --clips 400 --out long.mp4 --resume --validate || fail "checking a film that is being made: $(cat err.txt)"
kill -USR1 "$process"
ends_with 3
grep -q -- "--resume goes on" long.txt || fail "the stop is not told"
[ ! -e long.film.lock ] || fail "a stopped film left its lock"
begin --resume
kill -9 "$process"
wait "$process" || true
begin --resume
grep -q "taking over from svi-generate .*: that process is dead" long.txt || fail "the take-over is not told"
kill -TERM "$process"
ends_with 3
refused "a film was begun there" --clips 400 --out long.mp4
[ ! -e long.film.lock ] || fail "a refused film left its lock"
rm -r long.*

# Films of several ranks stop together, whichever rank hears of it.
for name in a b; do ffmpeg -v error -f lavfi -i color=red:s=32x32 -frames:v 1 $name.png; done
"$mpirun" -n 2 "$generate" --threads 1 --steps 2 --cfg 1 --clips 400 --image a.png --image b.png --prompt x --out films > long.txt 2>&1 &
process=$!
until [ -e films/a.film/clip-00000.h5 ] && [ -e films/b.film/clip-00000.h5 ]; do
  kill -0 "$process" 2> /dev/null || fail "ended early: $(cat long.txt)"
  sleep 0.05
done
victim=$(pgrep -f "svi-generate .*--out films" | while read -r pid; do
  grep -qz 'OMPI_COMM_WORLD_RANK=1' "/proc/$pid/environ" 2> /dev/null && echo "$pid"; done | tail -n 1 || true)
kill -USR1 "$victim"
ends_with 3
[ "$(grep -c -- "--resume goes on" long.txt)" -eq 2 ] || fail "both films should have stopped: $(cat long.txt)"
[ -z "$(find films -name '*.lock')" ] || fail "locks stay"
if "$mpirun" -n 2 "$generate" --threads 1 --steps 2 --cfg 1 --clips 2 --image a.png --image b.png --prompt x --out films > refused.txt 2>&1; then
  fail "began over films that are there"
fi
[ -z "$(find films -name '*.lock')" ] || fail "locks stay after a refusal"

# A flipped bit in a latent: told, and the film is that of an undisturbed run.
made --clips 4 --out whole.mp4
made --clips 3 --out flipped.mp4
python3 - flipped.film/clip-00001.h5 << 'P'
import sys
path = sys.argv[1]
data = bytearray(open(path, "rb").read())
data[len(data) // 2] ^= 1
open(path, "wb").write(data)
P
made --clips 4 --out flipped.mp4 --resume
grep -q "clip-00001.h5.*damaged.*made again" err.txt || fail "the damage is not told: $(cat err.txt)"
same_film whole.mp4 flipped.mp4
truncate -s 300 flipped.film/clip-00003.h5
made --clips 4 --out flipped.mp4 --resume
grep -q "clip-00003.h5.*made again" err.txt || fail "the cut is not told: $(cat err.txt)"
same_film whole.mp4 flipped.mp4
echo "one at a time, stopped and mended"
