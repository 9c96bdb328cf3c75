#!/usr/bin/env bash
# Films of the pocket: no argument but speed, killed and resumed, made longer, continued, decoded again, cut, dealt over ranks.
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh" "$@"

made --clips 4 --out whole.mp4
[ "$(frames whole.mp4)" = 17 ] || fail "4 clips of 5 frames that share one give 17 frames"
made --clips 4 --out again.mp4
same_film whole.mp4 again.mp4
made --clips 1 --set film.scene=0 --out scene0.mp4  # a film without an image starts from this scene of the world
made --clips 1 --set film.scene=1 --out scene1.mp4
if cmp -s scene0.mp4 scene1.mp4; then fail "films of two scenes are one"; fi

# Killed at moments that move, then resumed, as often as it takes.
kills=0
for delay in 0.35 0.5 0.6 0.7 0.8 0.9 1.0; do
  [ -e killed.film/film.ini ] && again=--resume || again=
  # shellcheck disable=SC2086
  "$generate" --threads 1 --steps 2 --cfg 1 --clips 4 --out killed.mp4 $again > out.txt 2> err.txt &
  process=$!
  sleep "$delay"
  if kill -9 "$process" 2> /dev/null; then kills=$((kills + 1)); fi
  wait "$process" 2> /dev/null || true
done
made --clips 4 --out killed.mp4 --resume
[ "$kills" -gt 0 ] || echo "note: the film was always faster than the kill"
same_film whole.mp4 killed.mp4
made --clips 4 --out killed.mp4 --resume  # a finished one stays as it is
same_film whole.mp4 killed.mp4

# Latents without frames are decoded; frames without latents are made again.
rm killed.film/clip-00001.*.mp4 killed.film/clip-00003.h5
made --clips 4 --out killed.mp4 --resume
same_film whole.mp4 killed.mp4

# Stopped by a signal: what is there plays, and the rest follows.
"$generate" --threads 1 --clips 400 --out stopped.mp4 > out.txt 2> err.txt &
process=$!
until [ -e stopped.mp4 ]; do sleep 0.1; done
kill -INT "$process"
code=0
wait "$process" || code=$?
[ "$code" -eq 3 ] || fail "stopped: exit code $code instead of 3"
grep -q -- "--resume" out.txt || fail "stopped without saying how to go on"
[ "$(frames stopped.mp4)" -ge 5 ] || fail "the stopped film does not play"

made --clips 2 --out longer.mp4
made --clips 4 --out longer.mp4 --resume
same_film whole.mp4 longer.mp4

cp whole.mp4 given.mp4
made --clips 2 --continue-video given.mp4 --out continued.mp4
[ "$(frames continued.mp4)" = $((17 - 1 + 9)) ] || fail "continued: $(frames continued.mp4) frames"
made --clips 1 --continue-video given.mp4 --out more.mp4
made --clips 2 --continue-video given.mp4 --out more.mp4 --resume
same_film continued.mp4 more.mp4

made --clips 2 --continue-video given.mp4 --out more.mp4 --redecode --crf 40
[ "$(frames more.mp4)" = "$(frames continued.mp4)" ] || fail "decoded again after a video: $(frames more.mp4) frames"

made --clips 4 --out again.mp4 --redecode --crf 40
[ "$(stat -c %s again.mp4)" -lt "$(stat -c %s whole.mp4)" ] || fail "a higher crf gives a smaller file"
[ "$(frames again.mp4)" = 17 ] || fail "decoded again: other frames"
made --clips 4 --out again.mp4 --redecode --crf 18
same_film whole.mp4 again.mp4

ffmpeg -v error -i whole.mp4 -frames:v 1 a.png
ffmpeg -v error -sseof -0.2 -i whole.mp4 -frames:v 1 b.png
cat > cut.yaml << 'YAML'
- {prompt: a red disc, clips: 2, seed: 5}
- {prompt: a blue disc, clips: 1, transition: cut, image: b.png}
YAML
made --image a.png --prompts cut.yaml --out cut.mp4
[ "$(frames cut.mp4)" = 14 ] || fail "nothing is shared over a cut: $(frames cut.mp4) frames"

# Several films, dealt over ranks.
made --clips 2 --image a.png --image b.png --out one
"$mpirun" -n 2 "$generate" --threads 1 --steps 2 --cfg 1 --clips 2 --image a.png --image b.png --out two > out.txt 2> err.txt ||
  fail "two ranks: $(cat err.txt)"
same_film one/a.mp4 two/a.mp4
same_film one/b.mp4 two/b.mp4
mkdir -p samples/x samples/y
cp a.png samples/x/frame.png && echo "a red disc" > samples/x/prompt.txt
cp b.png samples/y/z.png && echo "a blue disc" > samples/y/prompt.txt
made --clips 1 --samples samples --out films
[ -e films/x.mp4 ] && [ -e films/y.mp4 ] || fail "no film per sample"

# One film by all ranks: the same up to the rounding of sums in another order.
for ranks in 2 3; do
  "$mpirun" -n $ranks "$generate" --split --threads 1 --steps 2 --cfg 1 --clips 2 --out split$ranks.mp4 > out.txt 2> err.txt ||
    fail "split over $ranks: $(cat err.txt)"
  h5diff --delta=2e-5 longer.film/clip-00000.h5 split$ranks.film/clip-00000.h5 /latent ||
    fail "the film of $ranks ranks differs"
done

# Blocks that do not stay, and 8-bit weights.
made --clips 2 --no-lora --out plain.mp4
made --clips 2 --no-lora --resident-blocks 1 --out offloaded.mp4
h5diff plain.film/clip-00001.h5 offloaded.film/clip-00001.h5 /latent || fail "offload changed the film"
made --clips 1 --int8 --out eight.mp4

# Tiles larger than the frame change nothing, smaller ones do; a film can be decoded again in either way.
made --clips 4 --out again.mp4 --redecode --tile
same_film whole.mp4 again.mp4
made --clips 1 --size 256x32 --out wide.mp4
cp wide.mp4 whole_frame.mp4
made --clips 1 --size 256x32 --out wide.mp4 --redecode --tile
[ "$(frames wide.mp4)" = 5 ] || fail "decoded in tiles: $(frames wide.mp4) frames"
! cmp -s wide.mp4 whole_frame.mp4 || fail "--tile did not reach the decoder"

# A film with sound lasts as long as it, and a resumed one has it too.
ffmpeg -v error -f lavfi -i "sine=frequency=440:duration=1.7:sample_rate=44100" speech.wav
made --audio speech.wav --out spoken.mp4
[ "$(frames spoken.mp4)" = 17 ] || fail "1.7 s at 8 frames per second take 4 clips: $(frames spoken.mp4) frames"
[ "$(ffprobe -v error -show_entries stream=codec_type -of csv=p=0 spoken.mp4 | tr '\n' ' ')" = "video audio " ] ||
  fail "the film has no sound"
made --audio speech.wav --clips 2 --out spoken2.mp4
made --audio speech.wav --clips 4 --out spoken2.mp4 --resume
same_film spoken.mp4 spoken2.mp4
refused "has no sound" --audio whole.mp4 --out mute.mp4

# Other methods: a queue goes on from its state, a film from its end to its beginning from its pieces.
made --variant noise_rolling --clips 3 --out rolled.mp4
[ "$(frames rolled.mp4)" = 13 ] || fail "3 stretches of 4 frames behind the image: $(frames rolled.mp4) frames"
made --variant noise_rolling --clips 1 --out rolled2.mp4
made --variant noise_rolling --clips 3 --out rolled2.mp4 --resume
same_film rolled.mp4 rolled2.mp4
for variant in diffusion_forcing history_guidance hierarchical_denoising self_forcing test_time_correction; do
  options="--variant $variant --set method.context=1"
  [ $variant != test_time_correction ] || options="--variant $variant"
  [ $variant != self_forcing ] || options="$options --set method.sink=0"
  # shellcheck disable=SC2086  # the words of $options
  made $options --clips 3 --out $variant.mp4
  # shellcheck disable=SC2086
  made $options --clips 1 --out longer_$variant.mp4
  # shellcheck disable=SC2086
  made $options --clips 3 --out longer_$variant.mp4 --resume
  same_film $variant.mp4 longer_$variant.mp4
done
# Windows of a queue as one batch, whose samples ranks share: the same film on any number of them.
for ranks in 1 2 4; do
  "$mpirun" -n $ranks "$generate" --split-batch --threads 1 --steps 8 --cfg 1 --clips 1 --variant noise_rolling \
    --set method.partitions=together --out shared$ranks.mp4 > out.txt 2> err.txt || fail "windows on $ranks: $(cat err.txt)"
  same_film shared1.mp4 shared$ranks.mp4
done
"$mpirun" -n 1 "$generate" --threads 1 --steps 8 --cfg 1 --clips 1 --variant noise_rolling --out alone.mp4 > out.txt 2> err.txt ||
  fail "windows one by one: $(cat err.txt)"
same_film shared1.mp4 alone.mp4
refused "leave one out" --split --split-batch --out no.mp4
pack="--variant framepack --set extension.framepack.type=framepack"
# shellcheck disable=SC2086
made $pack --clips 3 --out packed.mp4
[ "$(frames packed.mp4)" = 13 ] || fail "3 sections of 4 frames behind the image: $(frames packed.mp4) frames"
cp -r packed.mp4 packed2.mp4 && cp -r packed.film packed2.film
rm packed2.film/clip-00002.h5 packed2.film/clip-00001.*.mp4  # numbers tell the order in which sections are made
# shellcheck disable=SC2086
made $pack --clips 3 --out packed2.mp4 --resume
same_film packed.mp4 packed2.mp4
# shellcheck disable=SC2086
refused "start.clips was 3, is 4" $pack --clips 4 --out packed.mp4 --resume
# shellcheck disable=SC2086
refused "begins films with an image" $pack --continue-video whole.mp4 --out packed3.mp4
refused "Add the [extension.NAME] that reads it" --variant framepack --clips 1 --out unread.mp4
refused "nothing reads a track 'audio'" --track audio=none.safetensors --out unread.mp4
