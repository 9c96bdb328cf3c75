# Sourced by the scripts beside it: the program, a scratch folder, and how to compare films.
# shellcheck shell=bash
set -euo pipefail
generate=$1
# shellcheck disable=SC2034  # for those who source this
mpirun=$2
scratch=$(mktemp -d "${TMPDIR:-/tmp}/svi-generate-XXXXXX")
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
