#!/usr/bin/env bash
# The recipes of SVI-Talk and SVI-Dance are valid where their user has what they name: videos with sound, pose videos, and
# files of official sizes, of which only the headers are read.
set -euo pipefail
experiment=$(realpath "$1")
source=$PWD
scratch=$(mktemp -d "${TMPDIR:-/tmp}/svi-told-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

mkdir -p videos data/dance data/dance_poses
ffmpeg -v error -f lavfi -i testsrc=size=160x120:rate=25:duration=1 -f lavfi -i sine=duration=1 -c:v libx264 -c:a aac videos/a.mp4
ffmpeg -v error -f lavfi -i testsrc=size=120x208:rate=25:duration=1 -c:v libx264 data/dance/a.mp4
ffmpeg -v error -f lavfi -i testsrc2=size=120x208:rate=25:duration=1 -c:v libx264 data/dance_poses/a.mp4
python3 - "$source" << 'PY'
import json, math, os, re, struct, sys

def header_only(path, shapes):
    """A file of these tensors in fp32 that takes no room: behind its header nothing is written."""
    header, at = {}, 0
    for name, shape in shapes.items():
        size = 4 * math.prod(shape)
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)  # values where they can be read in place, as the writers of such files have them
    with open(path, "wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        out.truncate(8 + len(text) + at)

shapes = {}
for line in open(os.path.join(sys.argv[1], "tests/data/talk/multitalk_manifest.tsv")).read().splitlines()[1:]:
    name, sizes = line.split("\t")
    sizes = [int(n) for n in sizes.split("x")]
    found = re.match(r"blocks\.0-(\d+)\.(.*)", name)
    for i in range(int(found[1]) + 1) if found else [0]:
        shapes[f"blocks.{i}.{found[2]}" if found else name] = sizes
assert len(shapes) == 330, len(shapes)
header_only("multitalk.safetensors", shapes)
PY
for ini in svi_talk svi_dance; do
  for size in "" "--size try"; do
    # shellcheck disable=SC2086  # none or two words
    "$experiment" "$source/plugins/$ini/$ini.ini" $size --validate > out.txt 2> err.txt || {
      cat err.txt >&2
      exit 1
    }
    grep -q "valid; 2 arms" out.txt || { cat out.txt; exit 1; }
  done
done
# Nothing is guessed: a recipe whose files are elsewhere says which one it wants.
rm multitalk.safetensors
if "$experiment" "$source/plugins/svi_talk/svi_talk.ini" --validate > out.txt 2> err.txt; then exit 1; fi
grep -q "multitalk.safetensors" err.txt
