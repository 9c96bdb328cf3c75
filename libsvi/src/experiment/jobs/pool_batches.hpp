#pragma once

#include "svi/method/chain.hpp"
#include "svi/train/latent_pool.hpp"
#include "svi/train/recycler.hpp"
#include "svi/train/trainer.hpp"

namespace svi {

/// What a model is told of a pool's clips: its own parts, and of their tracks those it reads.
/// Throws ConfigError where the pool lacks one.
SVI_EXPORT Condition told_by(const LatentPool& pool, const std::vector<std::string>& tracks);

/// Training batches out of a clip pool, epoch by epoch: every clip comes once before any comes
/// again. Which clip a sample is depends on seed, step and sample alone.
class SVI_EXPORT PoolBatches final : public BatchSource {
 public:
  /// `samples_per_step` is the size of the global batch; `tracks` are the parts that the model
  /// reads of the clips' tracks. Throws ConfigError where the pool lacks one.
  PoolBatches(const LatentPool& pool, TrainingPlan plan, std::uint64_t seed,
              std::int64_t samples_per_step, const std::vector<std::string>& tracks = {});

  TrainingBatch batch(std::int64_t step, std::int64_t first, std::int64_t count) override;

 private:
  std::int64_t clip_of(std::int64_t sample);  // counted over the whole training

  const LatentPool& pool_;
  Condition told_;  // of the pool, what the model reads
  TrainingPlan plan_;
  std::uint64_t seed_;
  std::int64_t samples_per_step_;
  std::int64_t epoch_ = -1;          // of `order_`
  std::vector<std::int64_t> order_;  // clips of that epoch
};

/// Generates clips of the pool with the model being trained, for on-policy errors: what the next
/// clip would be conditioned on, beside what it should have been.
class SVI_EXPORT PoolRollouts final : public ClipGenerator {
 public:
  /// Borrows the pool and what the studio borrows.
  PoolRollouts(const LatentPool& pool, const Studio& studio, std::uint64_t seed, at::Device device)
      : pool_(pool),
        told_(told_by(pool, studio.tracks)),
        studio_(studio),
        seed_(seed),
        device_(device) {}

  GeneratedClips generate(std::int64_t step, const std::vector<CarriedStart>& starts) override;

 private:
  const LatentPool& pool_;
  Condition told_;
  Studio studio_;
  std::uint64_t seed_;
  at::Device device_;
};

}  // namespace svi
