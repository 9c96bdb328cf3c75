#!/usr/bin/env bash
# A dance from end to end in the pocket: a pose net is trained and saved, then a person follows poses; killed and
# resumed, dealt over ranks; poses as a video and as key points; and what is refused, by name.
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh" "$@"
source_folder=$4

trained "$3" "$source_folder/plugins/svi_dance/dance_smoke.ini" dance
dance="--variant dance $trained"

ffmpeg -v error -f lavfi -i "color=orange:size=64x64" -frames:v 1 person.png
ffmpeg -v error -f lavfi -i "testsrc=duration=0.6:size=64x64:rate=25" pose.mp4
ffmpeg -v error -f lavfi -i "testsrc2=duration=0.6:size=64x64:rate=25" other.mp4
ffmpeg -v error -f lavfi -i "testsrc=duration=0.6:size=96x64:rate=25" wide.mp4
ffmpeg -v error -f lavfi -i "testsrc=duration=0.12:size=64x64:rate=25" short.mp4

# shellcheck disable=SC2086  # the words of $dance
{
  made $dance --image person.png --pose pose.mp4 --out whole.mp4
  [ "$(frames whole.mp4)" = 13 ] || fail "15 poses are enough for 3 clips: $(frames whole.mp4) frames"
  [ "$(ffprobe -v error -select_streams v -show_entries stream=r_frame_rate -of csv=p=0 whole.mp4)" = 25/1 ] || fail "not 25 frames per second"
  made $dance --image person.png --pose other.mp4 --out other_film.mp4
  ! h5diff -q whole.film/clip-00000.h5 other_film.film/clip-00000.h5 /latent || fail "the film does not depend on its poses"

  # Killed and resumed, made longer, dealt over ranks: the same bytes.
  same_however person.png $dance --pose pose.mp4

  # Both passes of the method's own guidance see the poses.
  "$generate" --threads 1 --steps 2 $dance --image person.png --pose pose.mp4 --clips 1 --out guided.mp4 > out.txt 2> err.txt ||
    fail "guided: $(cat err.txt)"
  grep -q "^scale = 2" guided.film/film.ini || fail "not guided by the text at scale 2: $(cat guided.film/film.ini)"
}

# The same key points in one file and in a folder give the same film.
python3 - << 'PY'
import json, math, os
os.mkdir("walk")
frames = []
for t in range(10):
    points = []
    for i in range(18):
        points += [100 + 60 * math.sin(i + 0.3 * t), 100 + 60 * math.cos(1.7 * i), 0.9]
    frames.append({"people": [{"pose_keypoints_2d": points}], "canvas_width": 200, "canvas_height": 200})
    json.dump(frames[-1], open(f"walk/{t:06}_keypoints.json", "w"))
json.dump(frames, open("walk.json", "w"))
json.dump([dict(f, people=f["people"] * 2) for f in frames], open("pair.json", "w"))
json.dump([dict(f, people=[]) for f in frames], open("empty.json", "w"))
json.dump([dict(f, canvas_width=400) for f in frames], open("broad.json", "w"))
PY
# shellcheck disable=SC2086
{
  made $dance --image person.png --pose walk.json --out walk_film.mp4
  [ "$(frames walk_film.mp4)" = 9 ] || fail "10 poses are enough for 2 clips: $(frames walk_film.mp4) frames"
  made $dance --image person.png --pose walk --out folder_film.mp4
  same_film walk_film.mp4 folder_film.mp4
  made $dance --set extension.dance.person=1 --image person.png --pose pair.json --out pair_film.mp4
  cmp walk_film.mp4 pair_film.mp4 || fail "the second of two equal persons is another"

  refused "--pose" $dance --image person.png --out no.mp4
  refused "shows 2 persons; one is animated" $dance --image person.png --pose pair.json --out no.mp4
  refused "empty.json: frame 0: shows no person" $dance --image person.png --pose empty.json --out no.mp4
  refused "broad.json: a pose video of 400x200 pixels cannot be laid over 32x32" $dance --image person.png --pose broad.json --out no.mp4
  refused "wide.mp4: a pose video of 96x64 pixels cannot be laid over 32x32" $dance --image person.png --pose wide.mp4 --out no.mp4
  refused "missing.mp4" $dance --image person.png --pose missing.mp4 --out no.mp4
  refused "missing.json: no such file or folder" $dance --image person.png --pose missing.json --out no.mp4
  refused "track 'pose' has 15 frames, but 21 are needed" $dance --image person.png --pose pose.mp4 --clips 5 --out no.mp4
  refused "track 'pose' has 3 frames, but 5 are needed" $dance --image person.png --pose short.mp4 --out no.mp4
  refused "begins films with an image" $dance --continue-video whole.mp4 --pose pose.mp4 --out no.mp4
  refused "start.pose was" $dance --image person.png --pose other.mp4 --out longer.mp4 --resume
}
refused "dance_smoke.ini" --variant dance --image person.png --pose pose.mp4 --out no.mp4
refused "has no tensors dwpose_embedding.*" --variant dance --set extension.dance.file=results/one/lora/erft-seed0.safetensors \
  --image person.png --pose pose.mp4 --out no.mp4
[ ! -e no.mp4 ] && [ ! -e no.film ] || fail "a refused film left files"
