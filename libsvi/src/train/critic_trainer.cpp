#include "svi/train/critic_trainer.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <cmath>

#include "svi/core/check.hpp"
#include "svi/metric/correlation.hpp"
#include "svi/metric/psnr.hpp"
#include "svi/tensor/dims.hpp"
#include "train/state_detail.hpp"

namespace svi {
namespace {

constexpr double kUnit = 10;                        // dB, in which errors are of order 1
constexpr double kLinearFrom = 0.2;                 // in that unit: larger errors count linearly
constexpr std::uint64_t kJudgeSalt = 0x6a75646765;  // "judge": draws that training never sees

struct Damaged {
  at::Tensor frames;  // [N, 3, H, W]
  at::Tensor target;  // [N]  dB, fp32
};

using DamageOne = std::function<at::Tensor(const at::Tensor& frame, const at::Tensor& other,
                                           const RandomKey& key)>;

/// Damages every frame of a batch, keyed by its place and `step`.
Damaged damage_all(const at::Tensor& frames, std::uint64_t seed, std::int64_t step,
                   const DamageOne& damage) {
  const auto [N, C, H, W] = dims<4>(frames, "frames [N, 3, H, W]");
  SVI_CHECK(N >= 2, "damage needs two frames or more: one may haunt another");
  std::vector<at::Tensor> made;
  std::vector<float> target;
  for (std::int64_t i = 0; i < N; ++i) {
    const RandomKey key{seed, Purpose::damage, static_cast<std::uint32_t>(i),
                        static_cast<std::uint32_t>(step)};
    made.push_back(damage(frames[i], frames[(i + N / 2) % N], key));
    target.push_back(static_cast<float>(critic_target(made.back(), frames[i])));
  }
  return {at::stack(made), at::tensor(target)};
}

CriticReport judge(const Critic& critic, const at::Tensor& frames, std::int64_t draws,
                   std::uint64_t seed, const DamageOne& damage) {
  const c10::NoGradGuard no_gradients;
  SVI_CHECK(draws >= 1, "a critic is judged on one draw or more");
  CriticReport report;
  double squares = 0, sum = 0;
  for (std::int64_t draw = 0; draw < draws; ++draw) {
    const auto pairs = damage_all(frames, derive_seed(seed, kJudgeSalt), draw, damage);
    const auto said = critic.look(pairs.frames.to(critic.flat().device()))
                          .psnr.clamp(kCriticFloor, kCriticCeiling)
                          .cpu();
    for (std::int64_t i = 0; i < frames.size(0); ++i) {
      report.truth.push_back(pairs.target[i].item<double>());
      report.predicted.push_back(said[i].item<double>());
      const double gap = report.predicted.back() - report.truth.back();
      squares += gap * gap;
      sum += gap;
    }
  }
  const auto count = static_cast<double>(report.truth.size());
  report.error = std::sqrt(squares / count);
  report.bias = sum / count;
  report.pearson = pearson(report.truth, report.predicted);
  report.spearman = spearman(report.truth, report.predicted);
  return report;
}

}  // namespace

double critic_target(const at::Tensor& damaged, const at::Tensor& original) {
  return std::clamp(psnr(damaged, original), kCriticFloor, kCriticCeiling);
}

void CriticTrainingConfig::describe(OptionVisitor& visit) {
  visit(steps,
        {.key = "steps", .help = "optimisation steps", .unit = "steps", .min = 0, .max = 1e9});
  visit(batch,
        {.key = "batch", .help = "frames per step", .unit = "frames", .min = 2, .max = 4096});
  visit(seed, {.key = "seed", .help = "seed of weights, frames and damage", .min = 0});
  visit(frames_per_clip, {.key = "frames_per_clip",
                          .help = "frames used of each training clip; use 1 for procedural clips, "
                                  "more for decoded videos; at most half of batch",
                          .unit = "frames",
                          .min = 1,
                          .max = 4096});
  visit(held_out_scenes, {.key = "held_out_scenes",
                          .help = "held-out scenes whose first frames judge the critic",
                          .unit = "scenes",
                          .min = 2,
                          .max = 1e6});
  visit(held_out_draws, {.key = "held_out_draws",
                         .help = "damaged copies of each of those frames",
                         .min = 1,
                         .max = 1e6});
  damage.describe(visit);
  optimizer.describe(visit);
}

std::string CriticTrainingConfig::problem() const {
  if (2 * frames_per_clip > batch || batch % frames_per_clip != 0) {
    return cat("frames_per_clip = ", frames_per_clip, " must divide batch = ", batch,
               " into two clips or more");
  }
  return damage.problem();
}

CriticTrainer::CriticTrainer(Critic& critic, CriticTrainingConfig config, Frames frames)
    : critic_(critic),
      config_(config),
      frames_(std::move(frames)),
      weights_(critic.flat()),
      optimizer_(config.optimizer, weights_, config.steps) {
  critic_.initialise(static_cast<std::uint64_t>(config_.seed));
  critic_.require_grad(true);
}

CriticStep CriticTrainer::advance() {
  const auto real = frames_(step_);
  const auto pairs =
      damage_all(real, static_cast<std::uint64_t>(config_.seed), step_,
                 [&](const at::Tensor& frame, const at::Tensor& other, const RandomKey& key) {
                   return damage_at_random(config_.damage, frame, other, key).frame;
                 });
  const auto device = weights_.device();
  const auto gap =
      (critic_.look(pairs.frames.to(device)).psnr - pairs.target.to(device)) / kUnit;  // [N]
  const auto loss = at::smooth_l1_loss(gap, at::zeros_like(gap), at::Reduction::Mean, kLinearFrom);
  CriticStep report{.step = step_, .loss = loss.item<double>()};
  if (!std::isfinite(report.loss)) raise("critic training: the loss is not finite at step ", step_);
  report.error = kUnit * std::sqrt(gap.detach().square().mean().item<double>());
  loss.backward();
  std::vector<at::Tensor> gradients;
  for (const auto& [name, weight] : critic_.parameters()) {
    gradients.push_back(weight.grad().flatten());
    weight.mutable_grad().reset();
  }
  auto gradient = at::cat(gradients);
  report.learning_rate = optimizer_.update(gradient).learning_rate;
  ++step_;
  return report;
}

NamedTensors CriticTrainer::state() const {
  NamedTensors state{{"step", at::scalar_tensor(step_, at::kLong)}, {"weights", weights_.clone()}};
  for (auto& named : optimizer_.state()) state.push_back(std::move(named));
  return state;
}

void CriticTrainer::load(const NamedTensors& state) {
  const c10::NoGradGuard no_gradients;
  const detail::StateReader reader(state);
  const auto step = reader.get("step", {}).item<std::int64_t>();
  const auto weights = reader.get("weights", weights_.sizes());
  optimizer_.load(state);
  weights_.copy_(weights);
  step_ = step;
}

CriticReport judge_critic(const Critic& critic, const DamageConfig& damage,
                          const at::Tensor& frames, std::int64_t draws, std::uint64_t seed) {
  return judge(critic, frames, draws, seed,
               [&](const at::Tensor& frame, const at::Tensor& other, const RandomKey& key) {
                 return damage_at_random(damage, frame, other, key).frame;
               });
}

CriticReport judge_critic(const Critic& critic, const DamageConfig& damage, Damage kind,
                          const at::Tensor& frames, std::int64_t draws, std::uint64_t seed) {
  return judge(critic, frames, draws, seed,
               [&](const at::Tensor& frame, const at::Tensor& other, const RandomKey& key) {
                 return damage_at_random(damage, frame, kind, other, key);
               });
}

}  // namespace svi
