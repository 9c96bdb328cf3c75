#!/usr/bin/env bash
# A critic is the same bit for bit on one and two ranks and after being killed, and its file is one that a metric opens;
# the distance of sets of clips is the same on any number of ranks.
source "$(dirname "$0")/common.sh"
small=(--set critic.width=4 --set critic.features=6 --set critic_training.steps=40 --set critic_training.batch=8
  --set critic_training.held_out_scenes=8 --set clip.height=16 --set clip.width=16 --set run.checkpoint_steps=5)
train() {  # train RANKS NAME [ARGUMENTS]
  local ranks=$1 name=$2
  shift 2
  "$mpiexec" -n "$ranks" --oversubscribe "$program" plugins/pocket/pocket_critic.ini "${small[@]}" \
    --set experiment.results="$work/$name" "$@" > "$work/$name.log" 2>&1
}
same() {  # same A B
  local a=$work/$1/pocket_critic b=$work/$2/pocket_critic
  cmp "$a/weights/critic.safetensors" "$b/weights/critic.safetensors" || fail "critics of $1 and $2 differ"
  h5diff "$a/pocket_critic.h5" "$b/pocket_critic.h5" /critic || fail "held-out errors of $1 and $2 differ"
  h5diff "$a/pocket_critic.h5" "$b/pocket_critic.h5" /training || fail "training curves of $1 and $2 differ"
}
train 1 one || fail "one rank"
train 2 two || fail "two ranks"
same one two
# Killed as soon as it has a checkpoint.
"$program" plugins/pocket/pocket_critic.ini "${small[@]}" --set experiment.results="$work/killed" > "$work/killed.log" 2>&1 &
pid=$!
while kill -0 $pid 2> /dev/null; do
  compgen -G "$work/killed/pocket_critic/checkpoints/*/step-*.safetensors" > /dev/null && break
  sleep 0.02
done
kill -9 $pid 2> /dev/null || true
wait $pid 2> /dev/null || true
train 1 killed --resume || fail "resumed run"
same one killed

critic=$work/one/pocket_critic/weights/critic.safetensors
films() {  # films RANKS NAME: untrained films, their sets measured with that critic
  "$mpiexec" -n "$1" --oversubscribe "$program" experiments/smoke.ini --set experiment.results="$work/$2" \
    --set metric.critic.weights="$critic" --set training.steps=0 > "$work/$2.log" 2>&1 || fail "films on $1 rank(s)"
}
films 1 films_one
films 2 films_two
for path in /metrics /features /true_features; do
  h5diff "$work"/films_{one,two}/smoke/smoke.h5 $path || fail "$path differs between one and two ranks"
done
h5ls "$work/films_one/smoke/smoke.h5/metrics/set" | grep -q critic_frechet || fail "no distance of sets"
truncate -s 1000 "$critic"
code=0
"$program" experiments/smoke.ini --set metric.critic.weights="$critic" --validate > "$work/refused.log" 2>&1 || code=$?
[ "$code" -eq 2 ] || fail "damaged weights gave exit code $code instead of 2"
grep -q "critic.safetensors" "$work/refused.log" || fail "the refusal does not name the file"

# Without its file it is missing as other networks are: named, without a number, and the others measure.
"$program" experiments/smoke.ini --set metric.critic.weights="$work/none.safetensors" --set training.steps=0 \
  --set experiment.results="$work/missing" > "$work/missing.log" 2>&1 || fail "a run without the critic's file"
for said in "$work/missing.log" "$work/missing/smoke/summary.json"; do
  grep "metric.critic\] is missing critic.*none.safetensors.*pocket_critic.ini" "$said" > /dev/null || fail "not named in $said"
done
h5ls -r "$work/missing/smoke/smoke.h5" > "$work/missing.names"
grep critic_ "$work/missing.names" && fail "a number without a critic"
grep /metrics/clip/psnr "$work/missing.names" > /dev/null || fail "the other metrics gave no number"
echo "critics agree"
