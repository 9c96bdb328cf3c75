#!/usr/bin/env bash
# Films in files give the same numbers on one and two ranks; those that a run recorded are measured beside their truth,
# clip by clip with their prompts; what is wrong with files is one clear error.
source "$(dirname "$0")/common.sh"
scratch=$work
trap 'rm -rf "$scratch"' EXIT
work="$scratch/a folder"  # with spaces, as folders of users may have them
mkdir "$work"
measure() {  # measure RANKS NAME [ARGUMENTS]
  local ranks=$1 name=$2
  shift 2
  "$mpiexec" -n "$ranks" --oversubscribe "$program" experiments/measure.ini --set experiment.results="$work/$name" \
    "$@" > "$work/$name.log" 2>&1
}
small=(--set films.fps=4)
measure 1 one "${small[@]}" || fail "one rank"
measure 2 two "${small[@]}" || fail "two ranks"
file=measure/measure.h5
h5diff "$work"/{one,two}/$file /metrics || fail "metrics differ between one and two ranks"
cmp "$work"/{one,two}/measure/summary.json || fail "summaries differ between one and two ranks"
h5dump -d /arm "$work/one/$file" > "$work/arms.log"
grep Cats "$work/arms.log" > /dev/null || fail "the folder Cats is no arm"
h5dump -d /film_files "$work/one/$file" > "$work/files.log"
[ "$(grep -c "mixkit-.*mp4" "$work/files.log")" -eq 4 ] || fail "the result file does not list four films"
for film in data/mixkit/*/*.mp4; do
  grep "$(sha256sum "$film" | cut -d' ' -f1)" "$work/files.log" > /dev/null || fail "no hash of $film"
done
# What a run says of itself says the same when it is run again.
"$program" "$work/one/measure/resolved.ini" --set experiment.results="$work/again" > "$work/again.log" 2>&1 || fail "resolved.ini"
h5diff "$work"/{one,again}/$file /metrics || fail "resolved.ini gives other numbers"

# The films of a run, which are nearly those it measured itself: they went through a codec.
"$program" experiments/smoke.ini --set experiment.results="$work/run" --set training.steps=0 --set evaluation.videos=3 \
  --set diagnostic.loop_gain.scenes=2 --set diagnostic.loop_gain.noises=1 > "$work/run.log" 2>&1 || fail "the run to measure"
measure 1 films --set films.path="$work/run/smoke" --set metric.psnr.type=psnr --set metric.pocket.speed=0.04 || fail "films of a run"
python3 - "$work/run/smoke/summary.json" "$work/films/measure/summary.json" << 'END' || fail "films of a run have other numbers"
import json, sys
own, measured = (json.load(open(path))["arms"] for path in sys.argv[1:])
assert sorted(own) == sorted(measured), (sorted(own), sorted(measured))
for arm, quantities in own.items():
    for name, most in (("psnr", .5), ("psnr_last_clip", .5), ("pocket_quality", 1), ("pocket_consistency", .02)):
        a, b = quantities[name], measured[arm][name]
        assert abs(a["mean"] - b["mean"]) < most, (arm, name, a, b)
        assert b["n"] == 3, b
END

mkdir "$work/films_of_two"
cp data/mixkit/sea/mixkit-a-boat-sailing-in-the-bay-1941.mp4 "$work/films_of_two/long.mp4"
cp tests/data/golden/ltx2.mp4 "$work/films_of_two/other.mp4"
measure 1 lengths --set films.path="$work/films_of_two" || fail "films of two lengths"
h5ls "$work/lengths/$file" | grep "^frame .*{120}" > /dev/null || fail "the axis of frames is not that of the longest film"
grep '"n": 2' "$work/lengths/measure/summary.json" > /dev/null || fail "a film of another length is not measured"
expect() {  # expect FRAGMENT ARGUMENTS...
  local fragment=$1 code=0
  shift
  measure 1 refused "$@" || code=$?
  [ "$code" -eq 2 ] || fail "exit code $code instead of 2 for: $*"
  grep -- "$fragment" "$work/refused.log" > /dev/null || fail "no '$fragment' for: $*"
  [ ! -e "$work/refused/measure" ] || fail "a refused run left a folder: $*"
}
expect "no video is there" --set films.path="$work/none"
truncate -s 100000 "$work/films_of_two/other.mp4"
expect "other.mp4" --set films.path="$work/films_of_two"
: > "$work/films_of_two/other.mp4"
expect "other.mp4" --set films.path="$work/films_of_two"
rm "$work/films_of_two/other.mp4"
cp data/mixkit/sea/mixkit-a-boat-sailing-in-the-bay-1941.mp4 "$work/films_of_two/long.mkv"
expect "have one name" --set films.path="$work/films_of_two"
echo "films in files are measured"
