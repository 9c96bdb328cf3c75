#include "pool_batches.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "svi/core/check.hpp"
#include "svi/core/random.hpp"
#include "svi/data/tracks.hpp"
#include "svi/tensor/random.hpp"

namespace svi {

Condition told_by(const LatentPool& pool, const std::vector<std::string>& tracks) {
  std::vector<std::string> names{std::string(part::kText), std::string(part::kImage),
                                 std::string(part::kClip)};
  for (const auto& name : tracks) {
    if (!pool.condition.has(name)) {
      raise<ConfigError>("the training clips have no track '", name,
                         "', which a model extension reads; choose [data] that brings it, or leave "
                         "the extension out");
    }
    names.push_back(name);
  }
  return pool.condition.only(names);
}

PoolBatches::PoolBatches(const LatentPool& pool, TrainingPlan plan, std::uint64_t seed,
                         std::int64_t samples_per_step, const std::vector<std::string>& tracks)
    : pool_(pool),
      told_(told_by(pool, tracks)),
      plan_(plan),
      seed_(seed),
      samples_per_step_(samples_per_step) {}

std::int64_t PoolBatches::clip_of(std::int64_t sample) {
  const auto epoch = sample / pool_.size();
  if (epoch != epoch_) {
    order_ = permutation({seed_, Purpose::data_order, static_cast<std::uint32_t>(epoch), 0},
                         pool_.size());
    epoch_ = epoch;
  }
  return order_[static_cast<std::size_t>(sample % pool_.size())];
}

TrainingBatch PoolBatches::batch(std::int64_t step, std::int64_t first, std::int64_t count) {
  std::vector<std::int64_t> clips;
  std::vector<at::Tensor> images, seen;
  for (std::int64_t sample = first; sample < first + count; ++sample) {
    const auto stream = static_cast<std::uint32_t>(sample),
               at_step = static_cast<std::uint32_t>(step);
    const auto clip = clip_of(step * samples_per_step_ + sample);
    clips.push_back(clip);
    const bool one = pool_.image_one.defined() && uniform({seed_, Purpose::motion_frames, stream,
                                                           at_step}) >= plan_.motion_probability;
    images.push_back((one ? pool_.image_one : told_[part::kImage])[clip]);
    if (pool_.clip_one.defined()) seen.push_back((one ? pool_.clip_one : told_[part::kClip])[clip]);
  }
  const auto index = at::tensor(clips);
  TrainingBatch batch;
  batch.latent = pool_.latent.index_select(0, index);
  batch.condition = told_.rows(index).map(told_values);
  batch.condition.set(part::kImage, at::stack(images));
  if (!seen.empty()) batch.condition.set(part::kClip, at::stack(seen));
  return batch;
}

GeneratedClips PoolRollouts::generate(std::int64_t step, const std::vector<CarriedStart>& starts) {
  c10::NoGradGuard no_gradients;
  const auto at_step = static_cast<std::uint32_t>(step);
  std::vector<std::int64_t> clips;
  std::vector<at::Tensor> noises;
  for (const auto& start : starts) {
    const auto stream = static_cast<std::uint32_t>(start.index);
    clips.push_back(
        static_cast<std::int64_t>(uniform_index({seed_, Purpose::rollout_start, stream, at_step},
                                                static_cast<std::uint64_t>(pool_.size()))));
    noises.push_back(
        normal({seed_, Purpose::training_rollout, stream, at_step}, pool_.latent.sizes().slice(1)));
  }
  const ClipChain chain(studio_, "[error_source]: an error of generated clips");
  const auto index = at::tensor(clips);  // [B]
  const auto condition = told_.rows(index).map(told_values).to(device_);
  const auto& image = condition[part::kImage];  // [B, s + z, F, h, w]
  const auto z = pool_.latent.size(1), mask = image.size(1) - z;
  for (std::size_t b = 0; b < starts.size(); ++b) {
    const auto& carried = starts[b].carried;
    if (!carried.defined()) continue;
    const auto slot = chain.motion_slot();
    const auto frames = std::min(carried.size(1), image.size(2) - slot);
    image[static_cast<std::int64_t>(b)]
        .narrow(0, mask, z)
        .narrow(1, slot, frames)
        .add_(carried.narrow(1, 0, frames).to(device_));
  }
  const auto latent = sample(studio_, condition, at::stack(noises)).latent;
  const auto video = studio_.vae.decode(latent).clamp(-1, 1);
  const auto true_latent = pool_.latent.index_select(0, index);
  auto handed = chain.handed_over(video, latent);
  // What the pool keeps of a clip's end has a latent of one frame in front, as a video has.
  const auto tail = pool_.tail.index_select(0, index);
  const auto f = handed.size(2);
  return {(chain.hands_over_latents() ? chain.handed_over({}, true_latent)
                                      : tail.narrow(2, tail.size(2) - f, f))
              .to(device_),
          std::move(handed)};
}

}  // namespace svi
