#include "svi/train/latent_pool.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "svi/core/check.hpp"
#include "svi/model/wan/condition.hpp"

namespace svi {
namespace {

/// Small clips are encoded together; one of 81 x 480 x 832 fills the memory of many by itself.
std::int64_t batch_size(const ClipShape& shape) {
  constexpr std::int64_t kMost = 8, kValues = 1 << 24;
  return std::clamp<std::int64_t>(kValues / (3 * shape.frames * shape.height * shape.width), 1,
                                  kMost);
}

}  // namespace

at::Tensor tail_latents(const WanVae& vae, const at::Tensor& video, std::int64_t motion_frames) {
  const auto m = motion_frames;
  const auto s = vae.config().temporal_stride();
  const auto f = (m - 1) / s + 1;
  // The codec wants s k + 1 frames; causal, so that what follows frame m does not matter.
  const auto wanted = s * (f - 1) + 1;
  auto last = video.narrow(2, video.size(2) - m, m);
  if (wanted > m)
    last = at::cat({last, last.narrow(2, m - 1, 1).expand({-1, -1, wanted - m, -1, -1})}, 2);
  if (wanted < m) last = last.narrow(2, 0, wanted);
  return vae.encode(last);
}

LatentPool LatentPool::encode(const ClipSource& source, std::uint64_t seed, std::int64_t first,
                              std::int64_t count, const ClipShape& shape, const Encoders& encoders,
                              const TrainingPlan& plan,
                              const std::function<void(std::int64_t)>& progress) {
  SVI_CHECK(count >= 1, "an empty clip pool");
  c10::NoGradGuard no_gradients;
  const auto& vae = encoders.vae;
  const ConditionBuilder builder(vae);
  const ConditionRule rule{plan.padding.anchor_copies, plan.mask_all_motion};
  const bool needs_one = plan.motion_frames > 1 && plan.motion_probability < 1;
  std::vector<at::Tensor> latents, images, ones, tails, texts, tokens;
  const auto batch = batch_size(shape);
  for (std::int64_t done = 0; done < count; done += batch) {
    const auto size = std::min(batch, count - done);
    std::vector<at::Tensor> videos, anchors;
    std::vector<std::string> prompts;
    for (std::int64_t i = 0; i < size; ++i) {
      auto clip = source.training_clip(seed, first + done + i, shape);
      videos.push_back(clip.video);
      anchors.push_back(clip.anchor);
      prompts.push_back(clip.prompt);
    }
    const auto video = at::stack(videos);    // [b, 3, T, H, W]
    const auto anchor = at::stack(anchors);  // [b, 3, H, W]
    latents.push_back(vae.encode(video));
    images.push_back(
        builder.build(video.narrow(2, 0, plan.motion_frames), anchor, shape.frames, rule));
    if (needs_one) ones.push_back(builder.build(video.narrow(2, 0, 1), anchor, shape.frames, rule));
    tails.push_back(tail_latents(vae, video, plan.motion_frames));
    texts.push_back(encoders.text(prompts));
    if (encoders.image) tokens.push_back(encoders.image(video.select(2, 0)));
    if (progress) progress(done + size);
  }
  LatentPool pool;
  pool.latent = at::cat(latents);
  pool.image = at::cat(images);
  if (needs_one) pool.image_one = at::cat(ones);
  pool.tail = at::cat(tails);
  pool.text = at::cat(texts);
  if (!tokens.empty()) pool.clip = at::cat(tokens);
  return pool;
}

NamedTensors LatentPool::tensors() const {
  NamedTensors named{{"latent", latent}, {"image", image}, {"tail", tail}, {"text", text}};
  if (image_one.defined()) named.emplace_back("image_one", image_one);
  if (clip.defined()) named.emplace_back("clip", clip);
  return named;
}

LatentPool LatentPool::from(const NamedTensors& tensors, const std::string& origin) {
  LatentPool pool;
  for (const auto& [name, tensor] : tensors) {
    if (name == "latent") pool.latent = tensor;
    if (name == "image") pool.image = tensor;
    if (name == "image_one") pool.image_one = tensor;
    if (name == "tail") pool.tail = tensor;
    if (name == "text") pool.text = tensor;
    if (name == "clip") pool.clip = tensor;
  }
  if (!pool.latent.defined() || !pool.image.defined() || !pool.tail.defined() ||
      !pool.text.defined()) {
    raise<IoError>(
        origin,
        ": not a clip pool: latent, image, tail or text is missing; delete it to encode again");
  }
  return pool;
}

}  // namespace svi
