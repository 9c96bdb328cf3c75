#pragma once

#include "svi/evaluate/rollout.hpp"
#include "svi/model/wan/vae.hpp"
#include "svi/sampler/sampler.hpp"
#include "svi/train/latent_pool.hpp"
#include "svi/train/recycler.hpp"
#include "svi/train/trainer.hpp"
#include "svi/variant/variant.hpp"

namespace svi {

/// Training batches out of a clip pool: which clip a sample is depends on seed, step and sample
/// alone.
class PoolBatches final : public BatchSource {
 public:
  PoolBatches(const LatentPool& pool, TrainingPlan plan, std::uint64_t seed)
      : pool_(pool), plan_(plan), seed_(seed) {}

  TrainingBatch batch(std::int64_t step, std::int64_t first, std::int64_t count) override;

 private:
  const LatentPool& pool_;
  TrainingPlan plan_;
  std::uint64_t seed_;
};

/// Generates clips of the pool with the model being trained, for on-policy errors: what the next
/// clip would be conditioned on, beside what it should have been.
class SVI_EXPORT PoolRollouts final : public ClipGenerator {
 public:
  struct Parts {
    const LatentPool& pool;
    const VelocityModel& model;
    const WanVae& vae;
    const Sampler& sampler;
  };
  PoolRollouts(Parts parts, TrainingPlan plan, std::uint64_t seed, at::Device device)
      : parts_(parts), plan_(plan), seed_(seed), device_(device) {}

  GeneratedClips generate(std::int64_t step, const std::vector<CarriedStart>& starts) override;

 private:
  Parts parts_;
  TrainingPlan plan_;
  std::uint64_t seed_;
  at::Device device_;
};

}  // namespace svi
