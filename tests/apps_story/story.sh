#!/usr/bin/env bash
# From a keyword to a sample folder and to a film; without a network.
set -euo pipefail
story=$1 mpirun=$2 generate=$3
scratch=$(mktemp -d "${TMPDIR:-/tmp}/svi-story-test-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"
export XDG_CACHE_HOME=$scratch/cache

fail() {
  echo "FAILED: $*" >&2
  exit 1
}
good() { "$@" > out.txt 2> err.txt || fail "$*: exit code $?: $(cat err.txt)"; }
refused() {  # refused MESSAGE COMMAND...: exit code 2, and the message
  local message=$1 code=0
  shift
  "$@" > out.txt 2> err.txt || code=$?
  [ "$code" -eq 2 ] || fail "$*: exit code $code instead of 2: $(cat err.txt)"
  grep -qF -- "$message" err.txt || fail "$*: no '$message' in: $(cat err.txt)"
}
film() { "$generate" --threads 1 --steps 2 "$@"; }
frames() { ffprobe -v error -count_frames -select_streams v -show_entries stream=nb_read_frames -of csv=p=0 "$1"; }

# A story is a sample, and comes again byte for byte.
good "$story" --keyword motorcycle --clips 3
good "$story" --keyword motorcycle --clips 3 --out again/
diff -r stories/motorcycle again || fail "the same word gives another story"
[ "$(ls stories)" = motorcycle ] || fail "something else was left: $(ls stories)"
good "$story" --keyword "a cat" --clips 3 --seed 2
good film --samples stories --clips 2 --out films
[ "$(frames films/motorcycle.mp4)" = 9 ] && [ -e films/a_cat.mp4 ] || fail "no films of the samples"
good "$story" --list
for name in folder given openverse world grammar mllm; do grep -q "  $name  " out.txt || fail "--list lacks $name"; done

refused "keyword is missing" "$story"
refused "not this story" "$story" --keyword cat --out stories/motorcycle
refused "is no folder of weights" "$story" --keyword cat --model nowhere
refused "with a section of" "$story" --keyword cat --set model.int8=on
refused "clips = 1000000000" "$story" --keyword cat --clips 1000000000
refused "Is this meant?" "$story" --keyword a cat

# The whole way in one go: a clip for each prompt, the same on two ranks, resumed and made longer with the same story.
good film --keyword motorcycle --clips 3 --out one.mp4
cmp one.story/prompt.txt stories/motorcycle/prompt.txt || fail "svi-generate tells another story than svi-story"
good "$mpirun" -n 2 "$generate" --threads 1 --steps 2 --keyword motorcycle --clips 3 --out two.mp4
cmp one.mp4 two.mp4 || fail "two ranks make another film"
good film --samples stories --clips 3 --set method.prompts=stream --out films2
cmp one.mp4 films2/motorcycle.mp4 || fail "the sample gives another film than the keyword"
good film --keyword motorcycle --clips 4 --out one.mp4 --resume
[ "$(frames one.mp4)" = 17 ] || fail "made longer: $(frames one.mp4) frames"
refused "is no story of 'cat'" film --keyword cat --out one.mp4
refused "brings its own prompts" film --keyword cat --prompt x --out x.mp4
refused "give its --keyword" film --set storyteller.type=grammar --out x.mp4

# Only checked: what is shown when, and nothing left behind but the sheet.
good film --keyword harbour --clips 3 --out checked.mp4 --validate --sheet sheet.svg
grep -q "clip 2  continue: a " out.txt || fail "no time line: $(cat out.txt)"
if [ -e checked.mp4 ] || [ -e checked.story ] || [ -e checked.film ]; then fail "--validate made something"; fi
python3 -c 'import sys, xml.dom.minidom as m; d = m.parse(sys.argv[1]); sys.exit(len(d.getElementsByTagName("image")) != 1)' \
  sheet.svg || fail "the contact sheet is no SVG with one picture"

# Blends, cuts and seeds.
cp stories/motorcycle/frame.png next.png
cat > prompts.yaml << 'END'
- prompt: a red disc moving left
  clips: 1
- prompt: a blue disc moving left
  transition: blend
  blend: 2
  clips: 3
- prompt: a green disc
  transition: cut
  image: next.png
  seed: 7
END
good film --prompts prompts.yaml --out blend.mp4 --validate
for line in "0:00.0 - 0:00.6  clip 1  start: a red disc" "clip 2  blend 1/3: a blue disc" "clip 3  blend 2/3" \
  "clip 4  continue: a blue disc" "clip 5  cut to next.png, seed 7: a green disc"; do
  grep -qF -- "$line" out.txt || fail "no '$line' in the time line: $(cat out.txt)"
done
good film --prompts prompts.yaml --out blend.mp4
good film --prompts prompts.yaml --out again.mp4
cmp blend.mp4 again.mp4 || fail "a film with blends differs from itself"
echo "stories: passed"
