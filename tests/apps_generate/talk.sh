#!/usr/bin/env bash
# A talk from end to end in the pocket: audio layers are trained and saved, then a portrait speaks; killed and resumed,
# dealt over ranks, with its sound in step; and what is refused, by name.
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh" "$@"
source_folder=$4

trained "$3" "$source_folder/plugins/svi_talk/talk_smoke.ini" talk
talk="--variant talk $trained"

# Speech-like noise of 0.5 s, in 44.1 kHz stereo; a click at 0.3 s, in frame 7 of 25 per second.
ffmpeg -v error -f lavfi -i "aevalsrc='0.1*(random(0)-0.5)*(1+sin(40*t))+0.8*between(t,0.3,0.302)':s=44100:d=0.5" -ac 2 speech.wav
ffmpeg -v error -f lavfi -i "color=orange:size=64x64" -frames:v 1 face.png

# shellcheck disable=SC2086
made $talk --image face.png --audio speech.wav --out whole.mp4
[ "$(frames whole.mp4)" = 13 ] || fail "0.5 s at 25 frames per second take 3 clips of 5 frames that share one: $(frames whole.mp4)"
[ "$(ffprobe -v error -select_streams v -show_entries stream=r_frame_rate -of csv=p=0 whole.mp4)" = 25/1 ] || fail "not 25 frames per second"
[ "$(ffprobe -v error -show_entries stream=codec_type -of csv=p=0 whole.mp4 | tr '\n' ' ')" = "video audio " ] || fail "no sound"
[ "$(ffprobe -v error -show_entries stream=start_time -of csv=p=0 whole.mp4 | sort -u)" = 0.000000 ] || fail "sound and picture begin apart"

# The sound of the film is that of the file, at the same moments: the click stays where it was, within a third of a frame.
ffmpeg -v error -i whole.mp4 -vn -ac 1 -ar 8000 -f f32le sound.raw
python3 - << 'PY' || fail "the click is not where it was"
import array
samples = array.array("f", open("sound.raw", "rb").read())
at = max(range(len(samples)), key=lambda i: abs(samples[i])) / 8000
assert abs(at - 0.301) < 0.013, at
assert 0.49 <= len(samples) / 8000 <= 0.56, len(samples)
PY

# Sound tells: another one, another film. The same one in another format: nearly the same latents.
ffmpeg -v error -f lavfi -i "anoisesrc=d=0.5:c=white:a=0.3" other.wav
# shellcheck disable=SC2086
made $talk --image face.png --audio other.wav --out other.mp4
! h5diff -q whole.film/clip-00001.h5 other.film/clip-00001.h5 /latent || fail "the film does not depend on its sound"
ffmpeg -v error -i speech.wav -c:a pcm_u8 -ar 44100 eight.wav
# shellcheck disable=SC2086
made $talk --image face.png --audio eight.wav --out eight.mp4
[ "$(frames eight.mp4)" = 13 ] || fail "8-bit sound: $(frames eight.mp4) frames"

# Killed and resumed, made longer, dealt over ranks: the same bytes.
# shellcheck disable=SC2086
same_however face.png $talk --audio speech.wav

# Three passes: without --cfg the method's own guidance weighs the sound.
# shellcheck disable=SC2086
"$generate" --threads 1 --steps 2 $talk --image face.png --audio speech.wav --clips 1 --out guided.mp4 > out.txt 2> err.txt ||
  fail "guided: $(cat err.txt)"
grep -q "^audio_scale = 5" guided.film/film.ini || fail "not guided by the sound: $(cat guided.film/film.ini)"

refused "talk_smoke.ini" --variant talk --image face.png --audio speech.wav --out no.mp4
# shellcheck disable=SC2086
{
  refused "--audio is missing" $talk --image face.png --out no.mp4
  refused "one speaker is animated" $talk --image face.png --audio speech.wav --audio other.wav --out no.mp4
  refused "one speaker is animated" $talk --set extension.talk.speakers=2 --image face.png --audio speech.wav --out no.mp4
  refused "missing.wav: no such file" $talk --image face.png --audio missing.wav --out no.mp4
  refused "leave --clips out for a film as long as its sound" $talk --image face.png --audio speech.wav --clips 9 --out no.mp4
  made $talk --image face.png --audio speech.wav --clips 5 --set extension.talk.silence=allow --out quiet.mp4
  refused "begins films with an image" $talk --continue-video whole.mp4 --audio speech.wav --out no.mp4
  refused "start.track-audio was" $talk --image face.png --audio other.wav --out longer.mp4 --resume
}
ffmpeg -v error -f lavfi -i "anullsrc=d=1" silent.wav
# shellcheck disable=SC2086
refused "silent.wav: is silent" $talk --image face.png --audio silent.wav --out no.mp4
ffmpeg -v error -i whole.mp4 -an -c copy mute.mp4
# shellcheck disable=SC2086
refused "mute.mp4: has no sound; give an audio file" $talk --image face.png --audio mute.mp4 --out no.mp4
# shellcheck disable=SC2086
refused "lasts 1 s, more than [extension.talk] longest = 0.2 s" $talk --set extension.talk.longest=0.2 --image face.png \
  --audio silent.wav --clips 1 --out no.mp4
[ ! -e no.mp4 ] && [ ! -e no.film ] || fail "a refused film left files"
