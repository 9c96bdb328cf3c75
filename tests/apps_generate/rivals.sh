#!/usr/bin/env bash
# Films of the methods that compete: killed and resumed, or dealt over ranks, they have the same bytes; methods that know
# a film's length from the beginning refuse to make it longer.
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh" "$@"

ffmpeg -v error -f lavfi -i "testsrc2=size=64x64:rate=25" -frames:v 1 image.png

# film NAME ARGUMENTS...: three clips, however they are made.
film() {
  local name=$1
  shift
  rm -rf whole.mp4 whole.film
  made --variant "$name" --image image.png "$@" --clips 3 --out whole.mp4
  [ "$(frames whole.mp4)" = 13 ] || fail "$name: 3 clips of 5 frames behind each other: $(frames whole.mp4) frames"
  same_when_killed image.png --variant "$name" "$@" --clips 3
  same_on_ranks image.png --variant "$name" "$@" --clips 3
}
film latent_chain
film noise_augmentation --set method.level=0.2
film color_match
film color_match --set method.at=seam
film free_noise --set method.stride=2
film streaming_t2v --set method.overlap=2
film framepack --set extension.framepack.type=framepack
film framepack --set extension.framepack.type=framepack --set method.order=forward
film self_forcing --set method.cache=on

made --variant free_noise --image image.png --clips 2 --out fixed.mp4
refused "start.clips was" --variant free_noise --image image.png --clips 3 --out fixed.mp4 --resume
