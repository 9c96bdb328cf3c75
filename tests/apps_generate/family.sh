#!/usr/bin/env bash
# SVI-Shot, -Film, -Tom and the condition of SVI 2.0 Pro from end to end in the pocket: an adapter is trained on one rank
# and on two, then a film of three prompts is made, killed and resumed, made longer, dealt over ranks.
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh" "$@"
source_folder=$4

cat > prompts.yaml << 'YAML'
- prompt: a red disc moves right over blue, green and yellow
  clips: 1
- prompt: a white disc moves left over black, grey and red
  clips: 1
- prompt: a green disc moves right over red, blue and white
  clips: 1
YAML
ffmpeg -v error -f lavfi -i "testsrc=size=64x64" -frames:v 1 image.png

# film PLUGIN/NAME VARIANT MOTION-FRAMES PROMPTS FRAMES ARGUMENTS...
film() {
  local recipe=$source_folder/plugins/$1.ini name=${1#*/} variant=$2 m=$3 prompts=$4 frames=$5 line
  shift 5
  mkdir "$name" && cd "$name"
  cp ../image.png ../prompts.yaml .
  trained "$experiment" "$recipe" "" --size pocket
  # shellcheck disable=SC2086  # the words of $trained
  {
    made --variant "$variant" "$@" $trained --frames 9 --image image.png --prompts prompts.yaml --out whole.mp4
    [ "$(frames whole.mp4)" = "$frames" ] || fail "$name: $(frames whole.mp4) frames instead of $frames"
    for line in "motion_frames = $m" "prompts = $prompts"; do
      grep -qx "$line" whole.film/film.ini || fail "$name: no '$line' in $(cat whole.film/film.ini)"
    done
    same_however image.png --variant "$variant" "$@" $trained --frames 9 --prompts prompts.yaml
  }
  cd ..
}
experiment=$3
film svi_shot/svi_shot shot 1 first 25
film svi_film/svi_film film 5 stream 17
film svi_tom/svi_tom tom 1 stream 25
film svi_shot/svi_pro shot 2 stream 23 --set method.motion_frames=2 --set method.layout=anchor_first --set method.handover=latent \
  --set method.stitch=drop_head --set method.prompts=stream
