#!/usr/bin/env bash
# What cannot work ends with exit code 2 and a message that says what would.
# shellcheck source=common.sh
source "$(dirname "$0")/common.sh" "$@"

made --clips 1 --out film.mp4
refused "a film was begun there; --resume goes on" --clips 1 --out film.mp4
refused "film.seed was 0, is 3" --clips 1 --out film.mp4 --resume --seed 3
refused "sampler.shift was 3, is 4" --clips 1 --out film.mp4 --resume --set sampler.shift=4
refused "start.weights was" --clips 1 --out film.mp4 --resume --no-lora
printf x > there.mp4
refused "is there already" --out there.mp4
echo "another prompt" > p.txt
refused "was made with the prompt" --clips 1 --out film.mp4 --resume --prompts p.txt

refused "unrecognised option '--clps'" --clps 3
refused "--clips 0 must be at least 1" --clips 0
refused "is not WIDTHxHEIGHT" --size 32
refused "both must be multiples of 8; the nearest is 32x40" --size 33x38
refused "is not in the range 5 to 10000" --frames 3
refused "there is no section [sampl]" --set sampl.steps=3
refused "did you mean 'steps'" --set sampler.stebs=3
refused "is not a folder" --model nowhere
refused "is not there" --lora nowhere.safetensors
refused "is no strength" --lora x.safetensors=much
refused "plugin 'nowhere' is in none of" --variant nowhere
refused "exclude each other" --prompt a --prompts b.txt
refused "there are no latents to decode again" --redecode --out none.mp4
refused "none.png: no such file" --image none.png
mkdir empty
refused "parts of a model are missing" --model empty
grep -q "the text encoder: models_t5_umt5-xxl-enc-bf16.pth" err.txt || fail "the missing parts are not listed"

# More memory than there is anywhere: the plan says so before anything is loaded, and what would fit.
refused "not enough memory" --frames 9999 --size 1024x1024 --clips 1 --out large.mp4
grep -q "It fits with one of --size .*, --frames" out.txt || fail "no remedy in: $(cat out.txt)"
[ ! -e large.film ] || fail "a film was begun that cannot fit"
