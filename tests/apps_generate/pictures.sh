#!/usr/bin/env bash
# Films that are told poses and an end image: by options, in folders of samples, and what is refused.
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh" "$@"
told="--plugin $3 --set extension.seen.type=told_pictures"
# Two seconds of 64x64 pixels at 16 frames per second: 16 frames of a film at 8.
ffmpeg -v error -f lavfi -i "testsrc=duration=2:size=64x64:rate=16" pose.mp4
ffmpeg -v error -f lavfi -i "testsrc=duration=1:size=64x48:rate=16" wide.mp4
ffmpeg -v error -f lavfi -i "color=white:size=32x32" -frames:v 1 end.png
ffmpeg -v error -f lavfi -i "color=black:size=32x32" -frames:v 1 dark.png

# shellcheck disable=SC2086  # the words of $told
{
  # As many clips as there are poses for, 5 + 4 + 4 of 16 frames; what is made twice is the same.
  made $told --pose pose.mp4 --end-image end.png --out posed.mp4
  [ "$(frames posed.mp4)" = 13 ] || fail "16 poses are enough for 3 clips: $(frames posed.mp4) frames"
  cp -r posed.mp4 again.mp4 && cp -r posed.film again.film
  rm again.film/clip-0000[12].*
  made $told --pose pose.mp4 --end-image end.png --out again.mp4 --resume
  same_film posed.mp4 again.mp4
  # Another end changes the last clip alone.
  made $told --pose pose.mp4 --end-image dark.png --out dark.mp4
  h5diff posed.film/clip-00001.h5 dark.film/clip-00001.h5 || fail "the image at the end is told to clip 1 of 3"
  ! h5diff -q posed.film/clip-00002.h5 dark.film/clip-00002.h5 || fail "the image at the end is not told to the last clip"

  refused "start.clips was 3, is 2" $told --pose pose.mp4 --end-image end.png --clips 2 --out posed.mp4 --resume
  refused "start.end-image was" $told --pose pose.mp4 --end-image dark.png --out posed.mp4 --resume
  refused "track 'pose' has 16 frames, but 17 are needed" $told --pose pose.mp4 --end-image end.png --clips 4 --out long.mp4
  refused "wide.mp4: a pose video of 64x48 pixels cannot be laid over 32x32" $told --pose wide.mp4 --end-image end.png --out no.mp4
  refused "none.mp4" $told --pose none.mp4 --end-image end.png --out no.mp4
  refused "has no track 'end'" $told --pose pose.mp4 --out no.mp4

  # A folder in the published layout, without a prompt; an option serves where the folder has nothing.
  mkdir -p samples/dance
  cp dark.png samples/dance/image.png
  cp pose.mp4 samples/dance/
  made $told --samples samples --prompt "a red disc" --end-image end.png --out dance.mp4
  [ "$(frames dance.mp4)" = 13 ] || fail "the poses of a sample are not read"
  cp dark.png samples/dance/end.png
  made $told --samples samples --prompt "a red disc" --end-image end.png --out dance2.mp4
  ! h5diff -q dance.film/clip-00002.h5 dance2.film/clip-00002.h5 || fail "a sample's own end image does not come first"
  refused "holds no prompt.txt" $told --samples samples --out no.mp4
}
refused "nothing reads a track 'pose'" --pose pose.mp4 --out no.mp4
refused "nothing reads a track 'end'" --end-image end.png --out no.mp4
[ ! -e no.mp4 ] || fail "a refused film"
