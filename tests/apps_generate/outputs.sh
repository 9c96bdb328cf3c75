#!/usr/bin/env bash
# No file that svi did not make is ever lost, and a finished film stays until a new one is whole.
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh" "$@"

keeps() {  # keeps FILE MESSAGE ARGUMENTS...: refused, and the file is what it was
  local file=$1 before
  before=$(sha256sum < "$file")
  shift
  refused "$@"
  [ "$(sha256sum < "$file")" = "$before" ] || fail "$file was changed by: $*"
}
nothing_new() {  # nothing_new BEFORE: the folder holds what it held
  [ "$(find . | sort | grep -v -e out.txt -e err.txt)" = "$1" ] || fail "left behind: $(find . | sort)"
}
short() { find . | sort | grep -v -e out.txt -e err.txt; }

# Files, folders, devices and links that others made.
echo precious > precious.txt
cp precious.txt precious.mp4
mkdir thesis.mp4 foreign.film && echo precious > foreign.film/chapter.txt && cp precious.txt thesis.mp4/
ln -s precious.mp4 link.mp4 && ln -s nowhere.mp4 dangling.mp4
mkfifo pipe.mp4
held=$(short)
keeps precious.txt "a film is not written as .txt" --out precious.txt --overwrite
keeps precious.mp4 "does not replace it" --out precious.mp4 --overwrite
keeps precious.mp4 "does not replace it" --out foreign.film/../precious.mp4 --overwrite
keeps precious.mp4 "there are no latents to decode again" --out precious.mp4 --redecode
keeps precious.mp4 "is a link" --out link.mp4 --overwrite
refused "is a link" --out dangling.mp4 --overwrite
keeps thesis.mp4/precious.txt "is a folder" --out thesis.mp4 --overwrite
refused "is a device, pipe or socket" --out pipe.mp4 --overwrite
refused "is a device, pipe or socket" --out /dev/null --overwrite
[ -c /dev/null ] || fail "/dev/null is gone"
refused "was not made by svi" --out foreign.mp4 --overwrite
nothing_new "$held"

# What the film reads cannot be what it writes.
made --clips 1 --out good.mp4
cp good.mp4 input.mp4 && ln input.mp4 hard.mp4
keeps input.mp4 "which this film reads" --continue-video input.mp4 --out input.mp4 --overwrite
keeps input.mp4 "which this film reads" --continue-video hard.mp4 --out input.mp4 --overwrite
keeps good.mp4 "which this film reads" --continue-video good.film/clip-00000.0-3.mp4 --out good.mp4 --overwrite
keeps good.mp4 "which this film reads" --image good.mp4 --out ./good.film/../good.mp4 --overwrite

# Everything is checked before anything is replaced, and nothing that failed is in the way.
cp -r good.film kept.film && cp good.mp4 kept.mp4
python3 - << 'PY'
import json, struct
def save(name, tensors):
    header, data = {}, b''
    for key, shape in tensors.items():
        size = 4 * shape[0] * shape[1]
        header[key] = {'dtype': 'F32', 'shape': shape, 'data_offsets': [len(data), len(data) + size]}
        data += b'\0' * size
    text = json.dumps(header).encode()
    open(name, 'wb').write(struct.pack('<Q', len(text)) + text + data)
layer = 'diffusion_model.blocks.0.other.lora_'
save('none_fits.safetensors', {layer + 'down.weight': [2, 128], layer + 'up.weight': [128, 2]})
PY
keeps good.mp4 "none_fits.safetensors" --out good.mp4 --overwrite --lora none_fits.safetensors
same_film good.mp4 kept.mp4
held=$(short)
for wrong in "--lora none_fits.safetensors" "--image none.png" "--size 33x32" "--frames 3" "--set method.stich=none" "--model none"; do
  # shellcheck disable=SC2086
  refused "" --out new.mp4 --clips 1 $wrong
done
nothing_new "$held"
made --clips 1 --out new.mp4
refused "none_fits.safetensors" --out new2.mp4 --lora none_fits.safetensors --validate

# A new film replaces the old one when it is whole, not before.
"$generate" --threads 1 --clips 400 --seed 5 --out good.mp4 --overwrite > out.txt 2> err.txt &
process=$!
until compgen -G "good.film.next/clip-0000[2-9].h5" > /dev/null; do sleep 0.1; done
kill -9 "$process"
wait "$process" 2> /dev/null || true
same_film good.mp4 kept.mp4
made --clips 2 --out good.mp4 --resume  # the old one can be made longer,
[ "$(frames good.mp4)" = 9 ] || fail "the old film was not gone on with"
"$generate" --threads 1 --clips 2 --seed 5 --out good.mp4 --resume > out.txt 2> err.txt || fail "$(cat err.txt)"  # or the new one finished
"$generate" --threads 1 --clips 2 --seed 5 --out five.mp4 > out.txt 2> err.txt
cmp good.mp4 five.mp4 || fail "the film that replaced another is not its own"
[ ! -e good.film.next ] || fail "the new film's folder did not become the film's"
echo notes > good.film/notes.txt
made --clips 1 --out good.mp4 --overwrite
same_film good.mp4 kept.mp4
[ -e good.film/notes.txt ] || fail "notes among the latents were lost"

# Stopped while it replaces: told so.
"$generate" --threads 1 --clips 400 --seed 6 --out good.mp4 --overwrite > out.txt 2> err.txt &
process=$!
until compgen -G "good.film.next/clip-*.h5" > /dev/null; do sleep 0.1; done
kill -TERM "$process"
code=0
wait "$process" || code=$?
[ "$code" -eq 3 ] || fail "stopped: exit code $code instead of 3"
grep -q -- "--resume instead of --overwrite goes on (the video stays the earlier one" out.txt || fail "$(cat out.txt)"
same_film good.mp4 kept.mp4

# A video that was changed by hand is not svi's any more.
ffmpeg -v error -i kept.mp4 -vf negate edited.mp4
cp edited.mp4 new.mp4
for options in "--clips 1 --overwrite" "--clips 3 --resume" "--clips 1 --redecode --crf 30"; do
  # shellcheck disable=SC2086
  keeps new.mp4 "does not replace it" --out new.mp4 $options
done
cmp edited.mp4 new.mp4 || fail "an edited video was lost"

# Redecoding and going on never show less than before.
made --clips 4 --out four.mp4
cp four.mp4 all.mp4
"$generate" --threads 1 --steps 2 --cfg 1 --clips 4 --out four.mp4 --redecode --crf 30 > out.txt 2> err.txt &
process=$!
sleep 0.6
kill -9 "$process" 2> /dev/null || true
wait "$process" 2> /dev/null || true
[ "$(frames four.mp4)" = 17 ] || fail "a film that is decoded again shows $(frames four.mp4) frames meanwhile"
made --clips 4 --out four.mp4 --redecode --crf 18
cmp four.mp4 all.mp4 || fail "decoded again, the film is another"

# Other containers.
for ending in mov mkv m4v MP4; do
  made --clips 2 --out "kind.$ending" && [ "$(frames "kind.$ending")" = 9 ] || fail "no film in kind.$ending"
  rm -r kind.film
done

# Whoever reads along may leave.
"$generate" --threads 1 --steps 2 --cfg 1 --clips 3 --out piped.mp4 2> err.txt | head -1 > out.txt
[ "$(frames piped.mp4)" = 13 ] || fail "a closed pipe stopped the film: $(cat err.txt)"
