#include "pool_batches.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "svi/core/random.hpp"
#include "svi/tensor/random.hpp"

namespace svi {

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
  std::vector<at::Tensor> images;
  for (std::int64_t sample = first; sample < first + count; ++sample) {
    const auto stream = static_cast<std::uint32_t>(sample),
               at_step = static_cast<std::uint32_t>(step);
    const auto clip = clip_of(step * samples_per_step_ + sample);
    clips.push_back(clip);
    const bool one = pool_.image_one.defined() && uniform({seed_, Purpose::motion_frames, stream,
                                                           at_step}) >= plan_.motion_probability;
    images.push_back((one ? pool_.image_one : pool_.image)[clip]);
  }
  const auto index = at::tensor(clips);
  TrainingBatch batch;
  batch.latent = pool_.latent.index_select(0, index);
  batch.condition.set(part::kImage, at::stack(images));
  batch.condition.set(part::kText, pool_.text.index_select(0, index));
  if (pool_.clip.defined()) batch.condition.set(part::kClip, pool_.clip.index_select(0, index));
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
  const auto index = at::tensor(clips);  // [B]
  const Condition all{
      {part::kText, pool_.text}, {part::kImage, pool_.image}, {part::kClip, pool_.clip}};
  const auto condition = all.rows(index).to(device_);
  const auto& image = condition[part::kImage];  // [B, s + z, F, h, w]
  const auto z = pool_.latent.size(1), mask = pool_.image.size(1) - z;
  for (std::size_t b = 0; b < starts.size(); ++b) {
    const auto& carried = starts[b].carried;
    if (!carried.defined()) continue;
    const auto frames = std::min(carried.size(1), image.size(2));
    image[static_cast<std::int64_t>(b)]
        .narrow(0, mask, z)
        .narrow(1, 0, frames)
        .add_(carried.narrow(1, 0, frames).to(device_));
  }
  const auto latent = rollout_.sample(condition, at::stack(noises));
  const auto video = studio_.vae.decode(latent).clamp(-1, 1);
  const auto from_latents = studio_.variant.plan(1, 1).handover == Handover::latent;
  const auto true_latent = pool_.latent.index_select(0, index);
  return {(from_latents ? rollout_.handed_over({}, true_latent) : pool_.tail.index_select(0, index))
              .to(device_),
          rollout_.handed_over(video, latent)};
}

}  // namespace svi
