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

ConditionRule rule(const ClipPlan& plan) {
  return {plan.padding.anchor_copies, plan.mask_all_motion};
}

}  // namespace

ShownFrames shown_frames(const ClipPlan& plan, std::int64_t frames, bool first, bool last) {
  const auto m = plan.motion_frames;
  const auto skip = plan.stitch == Stitch::drop_head && !first ? m : 0;
  const auto end = plan.stitch == Stitch::drop_tail && !last ? frames - m : frames;
  return {skip, end - skip};
}

std::int64_t film_frames(std::int64_t clips, std::int64_t frames, std::int64_t motion_frames) {
  return clips * (frames - motion_frames) + motion_frames;
}

Rollout::Rollout(const VelocityModel& model, const WanVae& vae, EncodeText encode_text,
                 const Variant& variant, const Sampler& sampler, RolloutConfig config,
                 ClipShape shape, EncodeImage encode_image)
    : model_(model),
      vae_(vae),
      encode_text_(std::move(encode_text)),
      variant_(variant),
      sampler_(sampler),
      config_(std::move(config)),
      shape_(shape),
      encode_image_(std::move(encode_image)) {
  vae_.latent_frames(shape_.frames);  // refuses an illegal clip length before anything is generated
}

void Rollout::run(const std::vector<Scene>& scenes,
                  const std::function<void(const RolledClip&)>& on_clip) const {
  SVI_CHECK(!scenes.empty(), "no scene to roll out");
  c10::NoGradGuard no_gradients;
  std::vector<at::Tensor> images;
  for (const auto& scene : scenes) images.push_back(scene.image);
  ChainState state;
  state.anchor = at::stack(images);
  std::int64_t next_frame = 0;
  for (; state.clip < config_.clips; ++state.clip) {
    const auto clip = state.clip;
    RolledClip rolled;
    rolled.clip = clip;
    ClipPlan plan;
    for (const auto& scene : scenes) {
      plan = variant_.plan(clip, static_cast<std::int64_t>(scene.prompts.size()));
      rolled.prompts.push_back(scene.prompts[static_cast<std::size_t>(plan.prompt_index)]);
    }
    rolled.latent = sample_clip(state, rolled.prompts, noise(scenes, clip));
    rolled.video = vae_.decode(rolled.latent).clamp(-1, 1);  // [B, 3, T, H, W]
    const auto shown = shown_frames(plan, shape_.frames, clip == 0, clip + 1 == config_.clips);
    rolled.frames = rolled.video.narrow(2, shown.first, shown.count);
    rolled.first_frame = next_frame;
    next_frame += shown.count;
    state.last_frames = rolled.video;
    state.last_latent = rolled.latent;
    on_clip(rolled);
  }
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

at::Tensor Rollout::sample(const Condition& condition, const at::Tensor& noise,
                           const OnStep& on_step) const {
  Condition negative = condition;
  if (!config_.negative_prompt.empty()) {
    const auto films = static_cast<std::size_t>(noise.size(0));
    negative.text = encode_text_(std::vector<std::string>(films, config_.negative_prompt));
  } else {
    negative.text = at::zeros_like(condition.text);
  }
  // Drawn on the CPU, so that every device sees the same numbers.
  return sampler_.sample(model_, noise.to(condition.image.device()), condition, &negative, on_step);
}

Condition Rollout::told(const at::Tensor& image, const at::Tensor& first_frame,
                        const std::vector<std::string>& prompts) const {
  return {.text = encode_text_(prompts),
          .image = image,
          .clip = encode_image_ ? encode_image_(first_frame) : at::Tensor()};
}

Condition Rollout::condition(const ClipStart& start) const {
  c10::NoGradGuard no_gradients;
  const auto motion = rounded(start.motion, config_.rounding);
  const auto image =
      ConditionBuilder(vae_).build(motion, start.anchor, shape_.frames, rule(variant_.plan(1, 1)));
  return told(image, motion.select(2, 0), start.prompts);
}

at::Tensor Rollout::clip_after(const ClipStart& start, const at::Tensor& noise) const {
  c10::NoGradGuard no_gradients;
  return sample(condition(start), noise);
}

at::Tensor Rollout::sample_clip(const ChainState& state, const std::vector<std::string>& prompts,
                                const at::Tensor& noise, const OnStep& on_step) const {
  c10::NoGradGuard no_gradients;
  const auto plan = variant_.plan(state.clip, 1);  // prompts are chosen: one is as good as many
  const auto m = plan.motion_frames;
  SVI_CHECK(m < shape_.frames, "[variant] motion_frames = ", m,
            " leaves nothing to generate in a clip of ", shape_.frames, " frames");
  const ConditionBuilder builder(vae_);
  if (!state.last_frames.defined()) {
    const auto copies = plan.repeat_first ? m : 1;
    const auto motion = state.anchor.unsqueeze(2).expand({-1, -1, copies, -1, -1});
    const auto image = builder.build(motion, state.anchor, shape_.frames, rule(plan));
    return sample(told(image, state.anchor, prompts), noise, on_step);
  }
  SVI_CHECK(state.last_frames.size(2) >= m, "the chain hands on ", state.last_frames.size(2),
            " frames, the variant wants ", m);
  const auto motion =
      rounded(state.last_frames.narrow(2, state.last_frames.size(2) - m, m), config_.rounding);
  at::Tensor image;
  if (plan.handover == Handover::latent && state.last_latent.defined()) {
    const auto f = (m - 1) / vae_.config().temporal_stride() + 1;
    const auto last = state.last_latent.narrow(2, state.last_latent.size(2) - f, f);
    image = builder.build_from_latent(last, state.anchor, shape_.frames, m, rule(plan));
  } else {
    image = builder.build(motion, state.anchor, shape_.frames, rule(plan));
  }
  return sample(told(image, motion.select(2, 0), prompts), noise, on_step);
}

}  // namespace svi
