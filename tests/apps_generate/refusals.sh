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

# Words without quotes: the command that was meant is shown.
refused 'svi-generate --threads 1 --steps 2 --cfg 1 --prompt "a red car" --out q.mp4' --prompt a red car --out q.mp4
touch a.png b.png
refused "--image a.png --image b.png" --image a.png b.png
refused "film.mp4 belongs to no option; see svi-generate --help" --resume film.mp4
rm a.png b.png

# What would fail at the end is refused at the start, also by --validate.
long=$(printf 'a%.0s' $(seq 236)).mp4
for validate in "" --validate; do
  for out in f.avi f.webm f.gif f.xyz f; do refused "use .mp4, .m4v, .mov, .mkv" --out $out $validate; done
  refused "Shorten it" --out "$long" $validate
  refused "mkdir -p 'none'" --out none/f.mp4 $validate
  refused "cannot be written to" --out /proc/f.mp4 $validate
  refused "leaves nothing to generate in a clip of 5 frames; the nearest that works: motion_frames = 4, or clips of 6 frames" \
    --variant film $validate
done
for threads in 100000 -1 0; do
  code=0
  "$generate" --threads $threads --validate > out.txt 2> err.txt || code=$?
  [ "$code" -eq 2 ] || fail "--threads $threads: exit code $code instead of 2: $(cat err.txt)"
  grep -qF -- "--threads $threads: this machine has" err.txt || fail "--threads $threads: $(cat err.txt)"
done
printf -- '- {prompt: a}\n- {prompt: b, clips: 1, transition: cut, image: none.png}\n' > cut.yaml
refused "none.png: no such file" --prompts cut.yaml --validate
refused "--continue-video film.mp4: has 5 frames; more than 5 are needed" --variant film --frames 9 --continue-video film.mp4 --out g.mp4 --validate
refused "must be a multiple of 8; the nearest is 32" --set film.width=33 --validate
refused "is it a folder?" --prompts empty --validate
refused "is not a file" --image empty --validate
refused "is not a file" --continue-video empty --validate

# What is odd is told, and the film is made.
made --validate --crf 0 --clips 1 --out odd.mp4
grep -q "browsers" err.txt || fail "--crf 0 without a note: $(cat err.txt)"
python3 -c "print('a red car ' * 400)" > long.txt
made --validate --clips 1 --prompts long.txt --out odd.mp4
grep -q "longer than the 24 words that the text encoder reads; it is cut here: \".*red car\" | \"a red car" err.txt ||
  fail "a long prompt without a warning: $(cat err.txt)"
printf '\xef\xbb\xbf# three\na\nb\n\nc\n' > three.txt
made --validate --prompts three.txt --variant film --frames 9 --clips 3 --out odd.mp4
grep -q "3 clips of 9 frames, 32x32, 3 prompts, 17 frames, 2.125 s" out.txt || fail "$(cat out.txt)"
