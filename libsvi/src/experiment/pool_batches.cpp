#include "pool_batches.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "svi/core/random.hpp"
#include "svi/tensor/random.hpp"

namespace svi {

TrainingBatch PoolBatches::batch(std::int64_t step, std::int64_t first, std::int64_t count) {
  std::vector<std::int64_t> clips;
  std::vector<at::Tensor> images;
  for (std::int64_t sample = first; sample < first + count; ++sample) {
    const auto stream = static_cast<std::uint32_t>(sample),
               at_step = static_cast<std::uint32_t>(step);
    const auto clip = static_cast<std::int64_t>(uniform_index(
        {seed_, Purpose::data_order, stream, at_step}, static_cast<std::uint64_t>(pool_.size())));
    clips.push_back(clip);
    const bool one = pool_.image_one.defined() && uniform({seed_, Purpose::motion_frames, stream,
                                                           at_step}) >= plan_.motion_probability;
    images.push_back((one ? pool_.image_one : pool_.image)[clip]);
  }
  const auto index = at::tensor(clips);
  TrainingBatch batch;
  batch.latent = pool_.latent.index_select(0, index);
  batch.condition.image = at::stack(images);
  batch.condition.text = pool_.text.index_select(0, index);
  if (pool_.clip.defined()) batch.condition.clip = pool_.clip.index_select(0, index);
  return batch;
}

GeneratedClips PoolRollouts::generate(std::int64_t step, const std::vector<CarriedStart>& starts) {
  c10::NoGradGuard no_gradients;
  const auto& pool = parts_.pool;
  const auto at_step = static_cast<std::uint32_t>(step);
  std::vector<std::int64_t> clips;
  std::vector<at::Tensor> noises;
  for (const auto& start : starts) {
    const auto stream = static_cast<std::uint32_t>(start.index);
    clips.push_back(
        static_cast<std::int64_t>(uniform_index({seed_, Purpose::rollout_start, stream, at_step},
                                                static_cast<std::uint64_t>(pool.size()))));
    noises.push_back(
        normal({seed_, Purpose::rollout_noise, stream, at_step}, pool.latent.sizes().slice(1)));
  }
  const auto index = at::tensor(clips);  // [B]
  Condition condition;
  condition.image = pool.image.index_select(0, index).to(device_);
  condition.text = pool.text.index_select(0, index).to(device_);
  if (pool.clip.defined()) condition.clip = pool.clip.index_select(0, index).to(device_);
  const auto z = pool.latent.size(1), mask = pool.image.size(1) - z;
  for (std::size_t b = 0; b < starts.size(); ++b) {
    const auto& carried = starts[b].carried;
    if (!carried.defined()) continue;
    const auto frames = std::min(carried.size(1), condition.image.size(2));
    condition.image[static_cast<std::int64_t>(b)]
        .narrow(0, mask, z)
        .narrow(1, 0, frames)
        .add_(carried.narrow(1, 0, frames).to(device_));
  }
  const auto latent =
      parts_.sampler.sample(parts_.model, at::stack(noises).to(device_), condition, nullptr);
  const auto video = parts_.vae.decode(latent).clamp(-1, 1);
  return {pool.tail.index_select(0, index).to(device_),
          tail_latents(parts_.vae, video, plan_.motion_frames)};
}

}  // namespace svi
