#!/usr/bin/env bash
# svi-eval measures videos: the same scores on one and two ranks, no video twice, every layout, a page, comparisons; and
# what is wrong is one clear line.
set -euo pipefail
program=$1
mpirun=$2
scratch=$(mktemp -d "${TMPDIR:-/tmp}/svi eval XXXXXX")  # with spaces, as folders of users may have them
trap 'rm -rf "$scratch"' EXIT
export XDG_CACHE_HOME=$scratch/cache
cd "$scratch"

fail() {
  echo "FAILED: $*" >&2
  exit 1
}
measured() { "$program" "$@" > out.txt 2> err.txt || { cat err.txt >&2; fail "svi-eval $*: exit code $?"; }; }
refused() {  # refused MESSAGE ARGUMENTS...: exit code 2, one line, nothing left behind
  local message=$1 code=0 before
  before=$(ls -A)
  shift
  "$program" "$@" > out.txt 2> err.txt || code=$?
  [ "$code" -eq 2 ] || fail "svi-eval $*: exit code $code instead of 2: $(cat err.txt)"
  grep -qF -- "$message" err.txt || fail "svi-eval $*: no '$message' in: $(cat err.txt)"
  [ "$(ls -A)" = "$before" ] || fail "svi-eval $* left something: $(ls -A)"
}

# Six small films that get darker, and six that do not.
mkdir a b
for i in 1 2 3 4 5 6; do
  ffmpeg -v error -f lavfi -i "testsrc=size=64x48:rate=8:duration=4" -vf "hue=h=$((i * 10)),noise=alls=$((i * 3)):allf=t" \
    "a/film$i.mp4" < /dev/null
  ffmpeg -v error -f lavfi -i "testsrc=size=64x48:rate=8:duration=4" \
    -vf "hue=h=$((i * 10)),noise=alls='$((i * 3 + 20))':allf=t" "b/film$i.mp4" < /dev/null
done
touch note.md err.txt out.txt scores.json scores.csv scores.h5 scores.html

both=(--metrics "temporal_flicker,psnr" --truth b)
measured a "${both[@]}" --out scores.json --out scores.csv --out scores.h5 --page scores.html
grep -q "temporal_flicker" out.txt || fail "no table: $(cat out.txt)"
[ "$(wc -l < scores.csv)" -eq 7 ] || fail "scores.csv has not one line per film: $(cat scores.csv)"
h5ls -r scores.h5 | grep -q "/metrics/clip/temporal_flicker" || fail "no clips in scores.h5"
grep -q "<svg" scores.html || fail "no curve on the page"
grep -q 'src="a/film' scores.html || fail "no film on the page"
# The worst frame of each of three films is a picture on the page itself.
python3 - scores.html << 'END' || fail "the pictures on the page are not as they should be"
import base64, re, subprocess, sys
text = open(sys.argv[1], encoding="utf-8").read()
pictures = re.findall(r'poster="data:image/jpeg;base64,([^"]+)"', text)
assert len(pictures) == text.count("<video") >= 3, (len(pictures), text.count("<video"))
shown = subprocess.run(["ffprobe", "-v", "error", "-show_entries", "stream=codec_name,width,height", "-of", "csv=p=0", "-"],
                       input=base64.b64decode(pictures[0], validate=True), capture_output=True, check=True)
assert shown.stdout.decode().strip() == "mjpeg,64,48", shown.stdout
END
! grep -qE "https?://" scores.html || fail "the page asks others for something"
cp scores.json one.json

# On two ranks, from a list, by a pattern, and out of the result file: the same numbers.
ls "$PWD"/a/*.mp4 > list.txt
"$mpirun" -n 2 "$program" list.txt "${both[@]}" --cache none --out two.json > out.txt 2> err.txt ||
  fail "two ranks: $(cat err.txt)"
measured 'a/*.mp4' "${both[@]}" --out pattern.json
measured a/film1.mp4 a "${both[@]}" --out named.json
python3 - << 'END' || fail "scores differ"
import json
one, *others = [json.load(open(name)) for name in ("one.json", "two.json", "pattern.json", "named.json")]
assert len(one["videos"]) == 6 and one["missing"] == []
assert all(set(values) == {"temporal_flicker", "psnr"} for values in one["videos"].values())
assert len(one["per_second"]["psnr"]) == 4
for other in others:
    for key in ("videos", "mean", "interval", "per_clip", "per_second", "drift"):
        assert one[key] == other[key], (key, one[key], other[key])
values = [film["temporal_flicker"] for film in one["videos"].values()]
assert abs(one["mean"]["temporal_flicker"] - sum(values) / 6) < 1e-12
END

# No film is measured twice, wherever it lies.
mkdir moved
cp a/*.mp4 moved
count() { find cache -name '*.safetensors' | wc -l; }
before=$(count)
measured moved "${both[@]}" --out again.json
[ "$(count)" -eq "$before" ] || fail "a film was measured again"
cmp <(python3 -c "import json; print(json.load(open('one.json'))['mean'])") \
  <(python3 -c "import json; print(json.load(open('again.json'))['mean'])") || fail "kept scores differ"
measured a --metrics temporal_flicker --clip-frames 8 --out again.json
[ "$(count)" -gt "$before" ] || fail "other clips gave the same scores"

# VBench's own layout; two results against each other.
measured a --metrics temporal_flicker --layout vbench --out vbench.json
python3 -c "
import json
mean, films = json.load(open('vbench.json'))['temporal_flicker']
assert len(films) == 6 and abs(mean - sum(f['video_results'] for f in films) / 6) < 1e-12 and films[0]['video_path']
" || fail "not VBench's layout: $(cat vbench.json)"
measured b --metrics temporal_flicker --out b.json --out b.h5
measured --compare one.json b.json
grep -q "A is better" out.txt || fail "films without noise are not better: $(cat out.txt)"
measured --compare scores.h5 b.h5
grep -q "A is better" out.txt || fail "result files compare otherwise: $(cat out.txt)"

# What cannot be measured says so and gives no number.
measured a --metrics temporal_flicker,feature_consistency,psnr --out lacks.json
python3 -c "
import json
scores = json.load(open('lacks.json'))
assert len(scores['missing']) == 1 and 'alexnet' in scores['missing'][0], scores['missing']
assert set(scores['mean']) == {'temporal_flicker'}, scores['mean']
assert scores['unmeasured'] == ['psnr'], scores['unmeasured']
" || fail "lacks.json: $(cat lacks.json)"
measured a --metrics psnr --truth b --out truth.json
python3 -c "import json; assert json.load(open('truth.json'))['mean']['psnr'] > 10" || fail "no PSNR with the truth"
echo '{"film1": "a test card"}' > prompts.json
measured a --metrics temporal_flicker --prompts prompts.json --out again.json
measured a --metrics temporal_flicker --prompts names --out again.json
measured a --metrics temporal_flickering --out vbench.json
python3 -c "
import json
scores = json.load(open('vbench.json'))
board = scores['vbench']
wanted = (scores['mean']['temporal_flickering'] - 0.6293) / (1 - 0.6293)
assert abs(board['normalised']['temporal_flickering'] - wanted) < 1e-12
assert board['sums'] in ({}, None) and len(board['quality_lacks']) == 6, board
" || fail "VBench's normalisation: $(cat vbench.json)"
measured --list
grep -q "needs data/metrics/alexnet" out.txt || fail "--list names no file"
measured --help
measured --version

# A film that cannot be read is listed with its reason, and the others are measured: on one rank and on two.
mkdir mixed
cp a/film[12].mp4 mixed
head -c 3000 a/film3.mp4 > mixed/cut.mp4
: > mixed/empty.mp4
cp a/film1.mp4 mixed/record.mp4
echo '{"format": 1, "height": 48, "width": 64, "enlargement": 1, "clips": [{"first_frame": 0, "frames": 5, "prompt": ""}]}' \
  > mixed/record.json
broken() {  # broken COMMAND...: exit code 4
  local code=0
  "$@" > out.txt 2> err.txt || code=$?
  [ "$code" -eq 4 ] || fail "$*: exit code $code instead of 4: $(cat err.txt)"
}
broken "$program" mixed --metrics temporal_flicker --out broken.json --out scores.csv --out scores.h5 --page scores.html
grep -q "2 films; mean" out.txt || fail "not two films: $(cat out.txt)"
for name in cut empty record; do
  grep -q "^  .*/mixed/$name.mp4: " out.txt || fail "no reason for $name.mp4: $(cat out.txt)"
  grep -q "<li>.*/mixed/$name.mp4: " scores.html || fail "$name.mp4 is not on the page"
done
broken "$mpirun" -n 2 "$program" mixed --metrics temporal_flicker --cache none --out two.json
python3 - << 'END' || fail "broken films are not told: $(cat broken.json)"
import json, os
one, two = (json.load(open(name)) for name in ("broken.json", "two.json"))
assert one["broken"] == two["broken"] and one["videos"] == two["videos"] and one["mean"] == two["mean"]
assert sorted(map(os.path.basename, one["broken"])) == ["cut.mp4", "empty.mp4", "record.mp4"], one["broken"]
assert all(reason and "mixed/" not in reason.split(";")[0].split(" ")[0] for reason in one["broken"].values())
assert "holds 32 frames" in next(reason for name, reason in one["broken"].items() if "record" in name)
values = [film["temporal_flicker"] for film in one["videos"].values()]
assert len(values) == 2 and abs(one["mean"]["temporal_flicker"] - sum(values) / 2) < 1e-12
assert json.load(open("one.json"))["broken"] == {}
END
h5dump -d /broken_films scores.h5 > out.txt  # whole: grep -q would end it by a signal
grep -q "empty.mp4" out.txt || fail "the result file names no broken film"
broken "$program" mixed --metrics temporal_flicker --layout vbench --out vbench.json
python3 -c "import json; assert len(json.load(open('vbench.json'))['broken']) == 3" || fail "VBench's layout names none"

rm -rf moved ./*.json ./*.csv ./*.h5 ./*.html
refused "name the videos"
refused "no video is there" none
printf 'a/film1.mp4\n\n# a remark\nnote.md\n' > mixed.txt
refused "mixed.txt: line 4: note.md is no video" mixed.txt
refused "is no video" list.txt note.md
refused "did you mean 'temporal_flicker'" a --metrics temporal_flick
refused "use .h5, .json or .csv" a --out scores.txt
refused "is not svi or vbench" a --layout other
refused "is not metric.NAME.key=value" a --set sampler.steps=3
refused "takes two result files" --compare list.txt
echo '{"other": "a test card"}' > prompts.txt
refused "no key there is the name of a film, such as film1" a --prompts prompts.txt
echo '["a test card"]' > prompts.txt
refused "is no JSON object of texts" a --prompts prompts.txt
refused "none.json: cannot be opened" a --prompts none.json
refused "mixed/cut.mp4" mixed --strict --cache none
head -c 3000 a/film1.mp4 > broken.mp4
refused "broken.mp4" broken.mp4
: > empty.mp4
refused "empty.mp4" empty.mp4
echo "films are measured"
