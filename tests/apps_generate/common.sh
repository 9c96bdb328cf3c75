# Sourced by the scripts beside it: the program, a scratch folder, and how to compare films.
# shellcheck shell=bash
set -euo pipefail
generate=$1
# shellcheck disable=SC2034  # for those who source this
mpirun=$2
scratch=$(mktemp -d "${TMPDIR:-/tmp}/svi generate XXXXXX")  # with spaces, as folders of users may have them
trap 'rm -rf "$scratch"' EXIT
cd "$scratch"

fail() {
  echo "FAILED: $*" >&2
  exit 1
}
make() { "$generate" --threads 1 --steps 2 --cfg 1 "$@" > out.txt 2> err.txt; }
made() { make "$@" || { cat err.txt >&2; fail "$*: exit code $?"; }; }
refused() {  # refused MESSAGE ARGUMENTS...: exit code 2, and the message
  local message=$1 code=0
  shift
  make "$@" || code=$?
  [ "$code" -eq 2 ] || fail "$*: exit code $code instead of 2: $(cat err.txt)"
  grep -qF -- "$message" err.txt || fail "$*: no '$message' in: $(cat err.txt)"
}
frames() { ffprobe -v error -count_frames -select_streams v -show_entries stream=nb_read_frames -of csv=p=0 "$1"; }
same_film() {  # the video and every latent, byte for byte (HDF5: but for its times)
  cmp "$1" "$2" || fail "$1 and $2 differ"
  local a=${1%.mp4}.film b=${2%.mp4}.film latent
  for latent in "$a"/clip-*.h5; do
    h5diff "$latent" "$b/$(basename "$latent")" || fail "latents differ: $latent"
  done
}
# trained SVI-EXPERIMENT INI LABEL ARGUMENTS...: trains an adapter, and [extension.LABEL] beside it where LABEL is not
# empty, on one rank and on two, which give the same bytes; they are then the arguments of $trained.
trained() {
  local experiment=$1 ini=$2 label=$3 name ranks=1 file files=erft-seed0.safetensors
  shift 3
  for name in one two; do
    "$mpirun" -n $ranks "$experiment" "$ini" "$@" --set experiment.name=$name --set training.steps=4 --set training.slots=2 \
      --set pool.clips=8 --set evaluation.scenes=1 --set rollout.clips=2 --set evaluation.videos=0 \
      > out.txt 2> err.txt || fail "training on $ranks ranks: $(cat err.txt)"
    ranks=$((ranks + 1))
  done
  trained="--lora results/one/lora/$files"
  if [ -n "$label" ]; then
    files="$files erft-seed0.extension-$label.safetensors"
    trained="--set extension.$label.file=results/one/lora/erft-seed0.extension-$label.safetensors $trained"
  fi
  for file in $files; do
    cmp "results/one/lora/$file" "results/two/lora/$file" || fail "$file of two ranks differs from that of one"
  done
}
# Each takes IMAGE ARGUMENTS..., of a film of three clips, whole.mp4, and wants its bytes of films that are killed and
# resumed, made longer, or dealt over ranks.
same_when_killed() {
  local image=$1 process
  shift
  rm -rf killed.mp4 killed.film
  "$generate" --threads 1 --steps 2 --cfg 1 --image "$image" "$@" --out killed.mp4 > out.txt 2> err.txt &
  process=$!
  until [ -e killed.film/clip-00000.h5 ] || ! kill -0 "$process" 2> /dev/null; do sleep 0.02; done
  kill -9 "$process" 2> /dev/null || echo "note: the film was faster than the kill"
  wait "$process" 2> /dev/null || true
  made --image "$image" "$@" --out killed.mp4 --resume
  same_film whole.mp4 killed.mp4
}
same_when_longer() {
  local image=$1
  shift
  made --image "$image" "$@" --clips 1 --out longer.mp4
  made --image "$image" "$@" --clips 3 --out longer.mp4 --resume
  same_film whole.mp4 longer.mp4
}
same_on_ranks() {
  local image=$1
  shift
  cp "$image" second.png
  rm -rf two_ranks
  "$mpirun" -n 2 "$generate" --threads 1 --steps 2 --cfg 1 --image "$image" --image second.png "$@" --out two_ranks \
    > out.txt 2> err.txt || fail "two ranks: $(cat err.txt)"
  cmp whole.mp4 "two_ranks/${image%.png}.mp4" || fail "the film of two ranks differs"
}
same_however() {
  same_when_killed "$@"
  same_when_longer "$@"
  same_on_ranks "$@"
}
