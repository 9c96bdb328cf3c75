#!/usr/bin/env bash
# FVD of films in files is the same to the bit on 1, 2 and 4 ranks, against each film's truth and against real videos,
# whose moments are kept; weights are random.   fvd_ranks.sh SVI-EVAL MPIRUN TENSOR-LIST
set -euo pipefail
program=$1 mpirun=$2 tensors=$3
scratch=$(mktemp -d "${TMPDIR:-/tmp}/svi-fvd-XXXXXX")
trap 'rm -rf "$scratch"' EXIT
export XDG_CACHE_HOME=$scratch/cache
cd "$scratch"

fail() {
  echo "FAILED: $*" >&2
  exit 1
}

python3 - "$tensors" i3d.safetensors << 'END'
import json, math, random, struct, sys
draw = random.Random(5)

def bf16(value):
    return struct.unpack(">H", struct.pack(">f", value)[:2])[0]

def values(name, sizes):
    """bf16 numbers: kernels that keep the size of what passes, gains and variances around 1, the rest small."""
    low, high = (0.5, 1.5) if name.endswith(("bn.weight", "running_var")) else (-0.1, 0.1)
    if len(sizes) > 1:
        high = math.sqrt(6 / math.prod(sizes[1:]))
        low = -high
    palette = [bf16(low + (high - low) * (i + 0.5) / 256) for i in range(256)]
    drawn = draw.randbytes(math.prod(sizes))
    two = bytearray(2 * len(drawn))
    two[0::2] = drawn.translate(bytes(p & 255 for p in palette))
    two[1::2] = drawn.translate(bytes(p >> 8 for p in palette))
    return two

header, data = {}, bytearray()
for line in open(sys.argv[1], encoding="ascii").read().splitlines():
    name, *sizes = line.split()
    sizes = [int(size) for size in sizes]
    begin = len(data)
    data += values(name, sizes)
    header[name] = {"dtype": "BF16", "shape": sizes, "data_offsets": [begin, len(data)]}
text = json.dumps(header).encode()
text += b" " * (-len(text) % 8)
open(sys.argv[2], "wb").write(struct.pack("<Q", len(text)) + text + data)
END

mkdir films truth
for i in 1 2 3 4 5; do
  for folder in films truth; do
    noise=$i
    [ "$folder" = truth ] || noise=$((i * 8))
    ffmpeg -v error -f lavfi -i "testsrc=size=48x32:rate=8:duration=1.25" \
      -vf "hue=h=$((i * 40)),noise=alls=$noise:all_seed=$i" "$folder/film$i.mp4" < /dev/null
  done
done

# measured NAME RANKS ARGUMENTS...
measured() {
  local name=$1 ranks=$2
  shift 2
  "$mpirun" -n "$ranks" "$program" films --metrics fvd --set metric.fvd.file=i3d.safetensors --set metric.fvd.frames=9 \
    --cache none --threads 1 "$@" --out "$name.h5" --out "$name.json" > out.txt 2> err.txt ||
    fail "$name: $(cat err.txt)"
}
for ranks in 1 2 4; do
  measured "truth$ranks" $ranks --truth truth
  measured "real$ranks" $ranks --against truth --set metric.fvd.real_cache=kept
done
for ranks in 2 4; do
  for what in truth real; do
    h5diff "$what"1.h5 "$what$ranks.h5" /metrics || fail "$what: FVD on $ranks ranks differs from that on one"
  done
done
python3 - << 'END' || fail "the numbers are not those of two different sets"
import json, math
truth, real = (json.load(open(f"{name}1.json"))["mean"]["fvd"] for name in ("truth", "real"))
assert math.isfinite(truth) and truth > 0, truth
assert abs(truth - real) <= 1e-9 * truth, (truth, real)  # the same windows, by the order of files
for ranks in (2, 4):
    assert json.load(open(f"truth{ranks}.json"))["mean"]["fvd"] == truth
    assert json.load(open(f"real{ranks}.json"))["mean"]["fvd"] == real
END
echo "FVD does not depend on ranks"
