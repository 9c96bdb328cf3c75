#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/core/export.hpp"
#include "svi/model/wan/vae.hpp"
#include "svi/tensor/named_tensors.hpp"

namespace svi {

/// Options of codec pretraining, `[vae_training]`.
struct VaePretrainerConfig {
  std::int64_t steps = 1000;
  std::int64_t batch = 4;
  std::int64_t seed = 0;
  double learning_rate = 2e-3;
  std::int64_t warmup = 50;
  double weight_decay = 0;
  double clip_norm = 1;
  double gradient_weight = 0.5;
  double kl_weight = 1e-5;
  double idempotence_weight = 0.2;
  std::int64_t idempotence_every = 3;
  double idempotence_start = 0.3;
  std::int64_t short_frames = 5;
  double short_share = 0.7;
  bool still_start = false;
  std::int64_t statistics_batches = 16;
  bool bf16_activations = false;

  void describe(OptionVisitor& visit) {
    visit(steps, {.key = "steps",
                  .help = "optimisation steps; 0: keep the codec of [model]",
                  .unit = "steps",
                  .min = 0,
                  .max = 1e9});
    visit(batch,
          {.key = "batch", .help = "clips per step", .unit = "clips", .min = 1, .max = 4096});
    visit(seed, {.key = "seed", .help = "seed of weights, clips and sampling", .min = 0});
    visit(learning_rate,
          {.key = "learning_rate", .help = "peak of a cosine schedule", .min = 0, .max = 1});
    visit(warmup, {.key = "warmup",
                   .help = "steps of linear warm-up",
                   .unit = "steps",
                   .min = 0,
                   .max = 1e9});
    visit(weight_decay, {.key = "weight_decay", .help = "AdamW weight decay", .min = 0, .max = 1});
    visit(clip_norm, {.key = "clip_norm", .help = "largest norm of the gradient", .min = 1e-6});
    visit(
        gradient_weight,
        {.key = "gradient_weight", .help = "weight of the L1 error of image gradients", .min = 0});
    visit(kl_weight, {.key = "kl_weight",
                      .help = "weight of the KL divergence from N(0, 1), per latent value",
                      .min = 0});
    visit(idempotence_weight,
          {.key = "idempotence_weight",
           .help = "weight of two terms: encode(decode(z)) = z, and equality of first and second "
                   "reconstruction; without them a codec drifts when its output is encoded again",
           .min = 0});
    visit(idempotence_every, {.key = "idempotence_every",
                              .help = "every so many steps include the idempotence terms",
                              .unit = "steps",
                              .min = 1,
                              .max = 1000});
    visit(idempotence_start,
          {.key = "idempotence_start",
           .help = "share of the steps without the idempotence terms, at the beginning",
           .min = 0,
           .max = 1});
    visit(short_frames, {.key = "short_frames",
                         .help = "pixel frames of the clips at the beginning; short clips are "
                                 "cheap and train all but the steady state of the feature caches",
                         .unit = "frames",
                         .min = 1,
                         .max = 10000});
    visit(short_share,
          {.key = "short_share", .help = "share of the steps on short clips", .min = 0, .max = 1});
    visit(still_start,
          {.key = "still_start",
           .help = "start with kernels that ignore earlier frames; a codec trained on single "
                   "frames (short_frames = 1) then also works on clips, frame by frame"});
    visit(statistics_batches, {.key = "statistics_batches",
                               .help = "batches from which latent mean and deviation are measured",
                               .unit = "batches",
                               .min = 1,
                               .max = 100000});
    visit(bf16_activations, {.key = "bf16_activations",
                             .help = "keep activations in bf16 and weights in fp32: twice as fast "
                                     "on a CPU with AMX, slow on a CPU without"});
  }
};

/// Losses of one step.
struct VaeLosses {
  std::int64_t step = 0;      // from 0
  double reconstruction = 0;  // mean absolute error, in [-1, 1] units
  double kl = 0;              // from N(0, 1), per latent value
  double idempotence = 0;     // 0 on steps without it
};

/// Trains a Wan VAE from scratch: L1 on pixels and on their gradients, a small KL term, and
/// idempotence.
///
/// Deterministic: a function of configuration and clips. One thread.
class SVI_EXPORT VaePretrainer {
 public:
  /// `clips(step)` returns [batch, 3, T, H, W] in [-1, 1].
  using Clips = std::function<at::Tensor(std::int64_t step)>;

  /// Initialises the weights by the seed. Borrows the model.
  VaePretrainer(WanVae& vae, VaePretrainerConfig config, Clips clips);

  std::int64_t step() const { return step_; }               // steps done
  bool finished() const { return step_ >= config_.steps; }  // whether all steps are done
  /// One optimisation step. Throws svi::Error if the loss is not finite.
  VaeLosses advance();
  /// Computes latent mean and deviation over clips not seen in training and sets them in the model.
  void finish();

  NamedTensors state() const;            // weights, optimiser, counter
  void load(const NamedTensors& state);  // throws IoError if it does not fit

 private:
  double learning_rate() const;
  at::Tensor clips_at(std::int64_t step) const;  // [B, 3, T, H, W], short where it is time for that

  WanVae& vae_;
  VaePretrainerConfig config_;
  Clips clips_;
  std::int64_t step_ = 0;
  std::vector<at::Tensor> weights_, means_, squares_, counts_;
};

}  // namespace svi
