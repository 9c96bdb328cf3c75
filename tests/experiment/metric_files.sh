#!/usr/bin/env bash
# A metric whose file is missing or another gives no number and is named wherever one looks; with its file, its numbers of
# clips, films and sets are the same bit for bit on one and two ranks; the run belongs to that very file.
source "$(dirname "$0")/common.sh"
section=metric.feature_consistency
small=(--set experiment.plugins="naive_chain, feature_consistency" --set training.steps=0 --set "$section.side=63"
  --set diagnostic.loop_gain.scenes=2 --set diagnostic.loop_gain.noises=1 --set evaluation.weights="$work/weights")
films() {  # films RANKS NAME [ARGUMENTS]
  local ranks=$1 name=$2
  shift 2
  "$mpiexec" -n "$ranks" --oversubscribe "$program" experiments/smoke.ini --set experiment.results="$work/$name" \
    "${small[@]}" "$@" > "$work/$name.log" 2>&1
}
names() {  # names FILE: whether a text says what is missing and how to get it
  grep -q "$section\] is missing alexnet.*alexnet-owt-7be5be79.pth.*244408911 bytes.*7be5be79.*download.pytorch.org" "$1"
}

films 1 none || fail "a run without the file"
"$program" experiments/smoke.ini "${small[@]}" --validate > "$work/validate.log" || fail "--validate without the file"
names "$work/validate.log" || fail "--validate does not say what is missing"
names "$work/none.log" || fail "the run does not say what is missing"
names "$work/none/smoke/summary.json" || fail "summary.json does not say what is missing"
h5dump -d /missing_metrics "$work/none/smoke/smoke.h5" > "$work/missing.log" || fail "the result file lists nothing"
grep -q alexnet "$work/missing.log" || fail "the result file does not say what is missing"
h5ls -r "$work/none/smoke/smoke.h5" | grep feature_consistency > /dev/null && fail "a number without the file"
h5ls -r "$work/none/smoke/smoke.h5" | grep /metrics/clip/psnr > /dev/null || fail "the other metrics gave no number"

python3 - "$work/net.safetensors" << 'END'
import array, json, random, struct, sys
random.seed(1)
layers = {0: (64, 3, 11), 3: (192, 64, 5), 6: (384, 192, 3), 8: (256, 384, 3), 10: (256, 256, 3)}
header, data = {}, array.array("f")
for index, (out, into, size) in layers.items():
    for name, shape, scale in ((f"features.{index}.weight", [out, into, size, size], (2 / (into * size * size)) ** .5),
                               (f"features.{index}.bias", [out], .1)):
        count = 1
        for length in shape:
            count *= length
        begin = 4 * len(data)
        data.extend(random.gauss(0, scale) for _ in range(count))
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [begin, 4 * len(data)]}
text = json.dumps(header).encode()
open(sys.argv[1], "wb").write(struct.pack("<Q", len(text)) + text + data.tobytes())
END
given=(--set "$section.file=$work/net.safetensors")
films 1 other "${given[@]}" --set "$section.sha256=00000000" || fail "a run with another file"
grep -q "is another file: its SHA-256 is" "$work/other.log" || fail "another file is not named"
h5ls -r "$work/other/smoke/smoke.h5" | grep feature_consistency > /dev/null && fail "a number from another file"

films 1 one "${given[@]}" || fail "one rank"
films 2 two "${given[@]}" || fail "two ranks"
h5diff "$work"/{one,two}/smoke/smoke.h5 /metrics || fail "metrics differ between one and two ranks"
h5diff "$work"/{one,none}/smoke/smoke.h5 /metrics/clip/psnr || fail "a further metric changes the numbers of others"
for path in film frame film_set; do
  h5ls "$work/one/smoke/smoke.h5/metrics/$path" | grep feature_consistency > /dev/null || fail "no /metrics/$path"
done
h5ls "$work/one/smoke/smoke.h5/metrics/clip" | grep feature_consistency > /dev/null && fail "a number per clip that none gave"
grep -q "$(sha256sum "$work/net.safetensors" | cut -d' ' -f1)" "$work/one/smoke/resolved.ini" || fail "the file is not pinned"

printf '\1' | dd of="$work/net.safetensors" bs=1 seek=5000000 conv=notrunc 2> /dev/null
code=0
films 1 one "${given[@]}" --resume || code=$?
[ "$code" -eq 2 ] || fail "going on with another file gave exit code $code instead of 2"
grep -q "belongs to another configuration.*inputs" "$work/one.log" || fail "the refusal does not name the inputs"
code=0
"$program" "$work/one/smoke/resolved.ini" --set experiment.results="$work/again" > "$work/again.log" 2>&1 || code=$?
[ "$code" -eq 2 ] || fail "resolved.ini with another file gave exit code $code instead of 2"
grep -q "net.safetensors is not the file of \[experiment\] inputs" "$work/again.log" || fail "no word of the file"
echo "files of metrics are told apart"
