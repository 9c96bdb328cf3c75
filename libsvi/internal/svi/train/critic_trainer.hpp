#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/core/export.hpp"
#include "svi/data/damage.hpp"
#include "svi/model/critic.hpp"
#include "svi/tensor/named_tensors.hpp"
#include "svi/train/optimizer.hpp"

namespace svi {

/// Options of a critic's training, `[critic_training]`.
struct SVI_EXPORT CriticTrainingConfig {
  std::int64_t steps = 4000;
  std::int64_t batch = 32;
  std::int64_t seed = 0;
  std::int64_t frames_per_clip = 1;
  std::int64_t held_out_scenes = 256;
  std::int64_t held_out_draws = 4;
  DamageConfig damage = {};                            // of the frames
  OptimizerConfig optimizer = {.learning_rate = 3e-3,  // AdamW
                               .schedule = LearningRateSchedule::cosine,
                               .warmup_steps = 50,
                               .final_fraction = 0.01};

  void describe(OptionVisitor& visit);
  std::string problem() const;
};

/// What one step did.
struct CriticStep {
  std::int64_t step = 0;     // from 0
  double loss = 0;           // smooth L1 of the error in units of 10 dB
  double error = 0;          // dB: root mean square error of the batch
  double learning_rate = 0;  // of this step
};

/// Teaches a critic to tell the PSNR of frames damaged at random (data/damage.hpp), clamped to
/// kCriticFloor .. kCriticCeiling. It sees real frames and procedural damage, never a model's
/// output.
///
/// Deterministic: a function of configuration and frames. One thread.
class SVI_EXPORT CriticTrainer {
 public:
  /// `frames(step)` returns real frames [batch, 3, H, W] fp32 in [0, 1]; frame i and frame
  /// i + batch / 2 show different scenes: one of them may haunt the other.
  using Frames = std::function<at::Tensor(std::int64_t step)>;

  /// Initialises the weights by the seed. Borrows the critic.
  CriticTrainer(Critic& critic, CriticTrainingConfig config, Frames frames);

  std::int64_t step() const { return step_; }               // steps done
  bool finished() const { return step_ >= config_.steps; }  // whether all steps are done
  /// One optimisation step. Throws svi::Error if the loss is not finite.
  CriticStep advance();

  NamedTensors state() const;  // weights, optimiser, counter
  /// Throws IoError if a tensor is missing or has another size.
  void load(const NamedTensors& state);

 private:
  Critic& critic_;
  CriticTrainingConfig config_;
  Frames frames_;
  at::Tensor weights_;  // [P]  the critic's, flat
  Optimizer optimizer_;
  std::int64_t step_ = 0;
};

/// PSNR of a damaged frame to its original, as critics are taught it.
SVI_EXPORT double critic_target(const at::Tensor& damaged, const at::Tensor& original);

/// How well a critic does on pairs of damaged and true frames.
struct CriticReport {
  std::vector<double> truth, predicted;  // dB, clamped alike
  double pearson = 0, spearman = 0;      // correlation of the two
  double error = 0;                      // dB: root mean square
  double bias = 0;                       // dB: mean of predicted - truth
};

/// Judges a critic on frames [N, 3, H, W], N >= 2, in [0, 1], each damaged `draws` times: as in
/// training, or with one kind only. Frame i and frame i + N / 2 show different scenes.
SVI_EXPORT CriticReport judge_critic(const Critic& critic, const DamageConfig& damage,
                                     const at::Tensor& frames, std::int64_t draws,
                                     std::uint64_t seed);
SVI_EXPORT CriticReport judge_critic(const Critic& critic, const DamageConfig& damage, Damage kind,
                                     const at::Tensor& frames, std::int64_t draws,
                                     std::uint64_t seed);

}  // namespace svi
