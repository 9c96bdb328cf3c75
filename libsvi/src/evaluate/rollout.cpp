#include "svi/evaluate/rollout.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "svi/core/check.hpp"
#include "svi/model/wan/condition.hpp"
#include "svi/tensor/random.hpp"

namespace svi {
namespace {

at::Tensor rounded(const at::Tensor& frames, FrameRounding rounding) {
  if (rounding == FrameRounding::none) return frames;
  const auto levels = (frames + 1) * 127.5;  // 0 .. 255
  return (rounding == FrameRounding::nearest ? levels.round() : levels.floor()) / 127.5 - 1;
}

}  // namespace

std::int64_t film_frames(std::int64_t clips, std::int64_t frames, std::int64_t motion_frames) {
  return clips * (frames - motion_frames) + motion_frames;
}

/// What one clip hands to the next.
struct Rollout::Chain {
  at::Tensor image;        // [B, 3, H, W]     the user's images, also the anchors
  at::Tensor last_frames;  // [B, 3, T, H, W]  of the clip before
  at::Tensor last_latent;  // [B, z, F, h, w]
  std::int64_t next_frame = 0;
};

Rollout::Rollout(const VelocityModel& model, const WanVae& vae, EncodeText encode_text,
                 const Variant& variant, const Sampler& sampler, RolloutConfig config,
                 ClipShape shape)
    : model_(model),
      vae_(vae),
      encode_text_(std::move(encode_text)),
      variant_(variant),
      sampler_(sampler),
      config_(std::move(config)),
      shape_(shape) {
  vae_.latent_frames(shape_.frames);  // refuses an illegal clip length before anything is generated
}

void Rollout::run(const std::vector<Scene>& scenes,
                  const std::function<void(const RolledClip&)>& on_clip) const {
  SVI_CHECK(!scenes.empty(), "no scene to roll out");
  c10::NoGradGuard no_gradients;
  std::vector<at::Tensor> images;
  for (const auto& scene : scenes) images.push_back(scene.image);
  Chain chain;
  chain.image = at::stack(images);
  for (std::int64_t clip = 0; clip < config_.clips; ++clip) advance(chain, clip, scenes, on_clip);
}

at::Tensor Rollout::noise(const std::vector<Scene>& scenes, std::int64_t clip) const {
  const auto stride = vae_.config().spatial_stride();
  const std::vector<std::int64_t> sizes = {vae_.config().z_dim, vae_.latent_frames(shape_.frames),
                                           shape_.height / stride, shape_.width / stride};
  std::vector<at::Tensor> noises;
  for (const auto& scene : scenes) {
    noises.push_back(normal({static_cast<std::uint64_t>(config_.seed), Purpose::rollout_noise,
                             static_cast<std::uint32_t>(scene.index),
                             static_cast<std::uint32_t>(config_.same_noise ? 0 : clip)},
                            sizes));
  }
  return at::stack(noises);  // [B, z, F, h, w]
}

at::Tensor Rollout::sample(const Condition& condition, const at::Tensor& noise) const {
  Condition negative = condition;
  if (!config_.negative_prompt.empty()) {
    const auto films = static_cast<std::size_t>(noise.size(0));
    negative.text = encode_text_(std::vector<std::string>(films, config_.negative_prompt));
  } else {
    negative.text = at::zeros_like(condition.text);
  }
  // Drawn on the CPU, so that every device sees the same numbers.
  return sampler_.sample(model_, noise.to(condition.image.device()), condition, &negative);
}

Condition Rollout::condition(const ClipStart& start) const {
  c10::NoGradGuard no_gradients;
  const auto plan = variant_.plan(1, 1);
  Condition condition;
  condition.text = encode_text_(start.prompts);
  condition.image = ConditionBuilder(vae_).build(
      rounded(start.motion, config_.rounding), start.anchor, shape_.frames,
      {plan.padding.anchor_copies, plan.mask_all_motion});
  return condition;
}

at::Tensor Rollout::clip_after(const ClipStart& start, const at::Tensor& noise) const {
  c10::NoGradGuard no_gradients;
  return sample(condition(start), noise);
}

void Rollout::advance(Chain& chain, std::int64_t clip, const std::vector<Scene>& scenes,
                      const std::function<void(const RolledClip&)>& on_clip) const {
  const auto T = shape_.frames;
  RolledClip rolled;
  rolled.clip = clip;
  ClipPlan plan;
  for (const auto& scene : scenes) {
    plan = variant_.plan(clip, static_cast<std::int64_t>(scene.prompts.size()));
    rolled.prompts.push_back(scene.prompts[static_cast<std::size_t>(plan.prompt_index)]);
  }
  const auto m = plan.motion_frames;
  SVI_CHECK(m < T, "[variant] motion_frames = ", m, " leaves nothing to generate in a clip of ", T,
            " frames");

  const ConditionBuilder builder(vae_);
  const ConditionRule rule{plan.padding.anchor_copies, plan.mask_all_motion};
  Condition condition;
  condition.text = encode_text_(rolled.prompts);
  if (clip == 0) {
    const auto copies = plan.repeat_first ? m : 1;
    condition.image = builder.build(chain.image.unsqueeze(2).expand({-1, -1, copies, -1, -1}),
                                    chain.image, T, rule);
  } else if (plan.handover == Handover::latent) {
    const auto f = (m - 1) / vae_.config().temporal_stride() + 1;
    condition.image = builder.build_from_latent(
        chain.last_latent.narrow(2, chain.last_latent.size(2) - f, f), chain.image, T, m, rule);
  } else {
    const auto motion = rounded(chain.last_frames.narrow(2, T - m, m), config_.rounding);
    condition.image = builder.build(motion, chain.image, T, rule);
  }

  rolled.latent = sample(condition, noise(scenes, clip));
  const auto video = vae_.decode(rolled.latent).clamp(-1, 1);  // [B, 3, T, H, W]

  // Both clips of a seam show m frames; one of them gives way. The film's clock runs through the
  // seam.
  const bool first = clip == 0, last = clip + 1 == config_.clips;
  const auto skip = plan.stitch == Stitch::drop_head && !first ? m : 0;
  const auto end = plan.stitch == Stitch::drop_tail && !last ? T - m : T;
  rolled.video = video;
  rolled.frames = video.narrow(2, skip, end - skip);
  rolled.first_frame = chain.next_frame;
  chain.next_frame += end - skip;
  chain.last_frames = video;
  chain.last_latent = rolled.latent;
  on_clip(rolled);
}

}  // namespace svi
