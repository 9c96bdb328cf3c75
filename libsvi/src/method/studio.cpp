#include "svi/method/studio.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

namespace svi {

Denoiser denoiser(const Studio& studio, const Condition& condition) {
  const auto& text = condition[part::kText];
  Condition negative = condition;
  if (!studio.rollout.negative_prompt.empty()) {
    const auto films = static_cast<std::size_t>(text.size(0));
    negative.set(part::kText, studio.encode_text(
                                  std::vector<std::string>(films, studio.rollout.negative_prompt)));
  } else {
    negative.set(part::kText, at::zeros_like(text));
  }
  return {studio.model, studio.guidance, condition, negative, studio.rollout.passes};
}

Sampled sample(const Studio& studio, const Condition& condition, const at::Tensor& noise,
               const OnStep& on_step) {
  const c10::NoGradGuard no_gradients;
  const auto passes = denoiser(studio, condition);
  // Drawn on the CPU, so that every device sees the same numbers.
  auto latent = studio.sampler.sample(passes, noise.to(condition[part::kText].device()), on_step);
  return {std::move(latent), passes.evaluations()};
}

Condition told(const Studio& studio, const at::Tensor& y, const at::Tensor& image,
               const std::vector<std::string>& prompts, const Condition& tracks) {
  Condition all{{part::kText, studio.encode_text(prompts)},
                {part::kImage, y},
                {part::kClip, studio.encode_image ? studio.encode_image(image) : at::Tensor()}};
  all.add(tracks.to(y.device()));
  return all;
}

at::Tensor rounded(const at::Tensor& frames, FrameRounding rounding) {
  if (rounding == FrameRounding::none) return frames;
  const auto levels = (frames + 1) * 127.5;  // 0 .. 255
  return (rounding == FrameRounding::nearest ? levels.round() : levels.floor()) / 127.5 - 1;
}

std::vector<std::int64_t> latent_sizes(const Studio& studio) {
  const auto stride = studio.vae.config().spatial_stride();
  return {studio.vae.config().z_dim, studio.vae.latent_frames(studio.shape.frames),
          studio.shape.height / stride, studio.shape.width / stride};
}

}  // namespace svi
