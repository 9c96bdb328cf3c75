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
  return batch;
}

GeneratedClip PoolRollouts::generate(std::int64_t step, std::int64_t index,
                                     const at::Tensor* carried) {
  c10::NoGradGuard no_gradients;
  const auto& pool = parts_.pool;
  const auto stream = static_cast<std::uint32_t>(index), at_step = static_cast<std::uint32_t>(step);
  const auto clip = static_cast<std::int64_t>(uniform_index(
      {seed_, Purpose::rollout_start, stream, at_step}, static_cast<std::uint64_t>(pool.size())));
  Condition condition;
  condition.image =
      pool.image.narrow(0, clip, 1).to(device_, pool.image.scalar_type(), false, /*copy=*/true);
  condition.text = pool.text.narrow(0, clip, 1).to(device_);
  const auto z = pool.latent.size(1), mask = pool.image.size(1) - z;
  if (carried != nullptr) {
    const auto frames = std::min(carried->size(1), condition.image.size(2));
    condition.image.narrow(1, mask, z)
        .narrow(2, 0, frames)
        .add_(carried->narrow(1, 0, frames).unsqueeze(0).to(device_));
  }
  const auto noise = normal({seed_, Purpose::rollout_noise, stream, at_step},
                            pool.latent.narrow(0, clip, 1).sizes())
                         .to(device_);
  const auto latent = parts_.sampler.sample(parts_.model, noise, condition, nullptr);
  const auto video = parts_.vae.decode(latent).clamp(-1, 1);
  return {pool.tail.narrow(0, clip, 1).to(device_),
          tail_latents(parts_.vae, video, plan_.motion_frames)};
}

}  // namespace svi
