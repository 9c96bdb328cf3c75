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

Condition track_parts(const Studio& studio, const std::vector<Scene>& scenes, std::int64_t first) {
  Condition parts;
  if (studio.tracks.empty()) return parts;
  std::vector<Tracks> cut;
  for (const auto& scene : scenes) {
    const auto owner = cat("scene ", scene.name);
    try {
      cut.push_back(scene.tracks.only(studio.tracks, owner).slice(first, studio.shape.frames));
    } catch (const ConfigError& error) {
      const std::string said = error.what();
      raise<ConfigError>(said.starts_with(owner) ? "" : owner + ": ", said);
    }
  }
  for (const auto& name : studio.tracks) {
    std::vector<at::Tensor> rows;
    for (const auto& tracks : cut) rows.push_back(tracks[name]);
    parts.set(name, at::stack(rows));
  }
  return parts;
}

Rollout::Rollout(Studio studio) : studio_(std::move(studio)) {
  // Refuses an illegal clip length before anything is generated.
  studio_.vae.latent_frames(studio_.shape.frames);
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
  for (; state.clip < studio_.rollout.clips; ++state.clip) {
    const auto clip = state.clip;
    RolledClip rolled;
    rolled.clip = clip;
    ClipPlan plan;
    for (const auto& scene : scenes) {
      plan = studio_.variant.plan(clip, static_cast<std::int64_t>(scene.prompts.size()));
      rolled.prompts.push_back(scene.prompts[static_cast<std::size_t>(plan.prompt_index)]);
    }
    state.tracks = track_parts(studio_, scenes, clip * (studio_.shape.frames - plan.motion_frames));
    rolled.latent = sample_clip(state, rolled.prompts, noise(scenes, clip));
    rolled.video = studio_.vae.decode(rolled.latent).clamp(-1, 1);  // [B, 3, T, H, W]
    const auto shown =
        shown_frames(plan, studio_.shape.frames, clip == 0, clip + 1 == studio_.rollout.clips);
    rolled.frames = rolled.video.narrow(2, shown.first, shown.count);
    rolled.first_frame = next_frame;
    next_frame += shown.count;
    state.last_frames = rolled.video;
    state.last_latent = rolled.latent;
    on_clip(rolled);
  }
}

at::Tensor Rollout::noise(const std::vector<Scene>& scenes, std::int64_t clip) const {
  const auto stride = studio_.vae.config().spatial_stride();
  const std::vector<std::int64_t> sizes = {
      studio_.vae.config().z_dim, studio_.vae.latent_frames(studio_.shape.frames),
      studio_.shape.height / stride, studio_.shape.width / stride};
  std::vector<at::Tensor> noises;
  for (const auto& scene : scenes) {
    noises.push_back(normal({static_cast<std::uint64_t>(studio_.rollout.seed),
                             Purpose::rollout_noise, static_cast<std::uint32_t>(scene.index),
                             static_cast<std::uint32_t>(studio_.rollout.same_noise ? 0 : clip)},
                            sizes));
  }
  return at::stack(noises);  // [B, z, F, h, w]
}

at::Tensor Rollout::sample(const Condition& condition, const at::Tensor& noise,
                           const OnStep& on_step) const {
  const c10::NoGradGuard no_gradients;
  Condition negative = condition;
  if (!studio_.rollout.negative_prompt.empty()) {
    const auto films = static_cast<std::size_t>(noise.size(0));
    negative.set(part::kText, studio_.encode_text(std::vector<std::string>(
                                  films, studio_.rollout.negative_prompt)));
  } else {
    negative.set(part::kText, at::zeros_like(condition[part::kText]));
  }
  const Denoiser denoiser(studio_.model, studio_.guidance, condition, negative,
                          studio_.rollout.passes);
  // Drawn on the CPU, so that every device sees the same numbers.
  return studio_.sampler.sample(denoiser, noise.to(condition[part::kText].device()), on_step);
}

Condition Rollout::told(const at::Tensor& image, const at::Tensor& first_frame,
                        const std::vector<std::string>& prompts, const Condition& tracks) const {
  Condition told{
      {part::kText, studio_.encode_text(prompts)},
      {part::kImage, image},
      {part::kClip, studio_.encode_image ? studio_.encode_image(first_frame) : at::Tensor()}};
  told.add(tracks.to(image.device()));
  return told;
}

Condition Rollout::condition(const ClipStart& start) const {
  c10::NoGradGuard no_gradients;
  const auto motion = rounded(start.motion, studio_.rollout.rounding);
  const auto image =
      ConditionBuilder(studio_.vae)
          .build(motion, start.anchor, studio_.shape.frames, rule(studio_.variant.plan(1, 1)));
  return told(image, motion.select(2, 0), start.prompts, start.tracks);
}

at::Tensor Rollout::handed_over(const at::Tensor& video, const at::Tensor& latent) const {
  const c10::NoGradGuard no_gradients;
  const auto plan = studio_.variant.plan(1, 1);
  if (plan.handover == Handover::latent) {
    const auto f = (plan.motion_frames - 1) / studio_.vae.config().temporal_stride() + 1;
    return latent.narrow(2, latent.size(2) - f, f);
  }
  return tail_latents(studio_.vae, rounded(video, studio_.rollout.rounding), plan.motion_frames);
}

at::Tensor Rollout::clip_after(const ClipStart& start, const at::Tensor& noise) const {
  c10::NoGradGuard no_gradients;
  return sample(condition(start), noise);
}

at::Tensor Rollout::sample_clip(const ChainState& state, const std::vector<std::string>& prompts,
                                const at::Tensor& noise, const OnStep& on_step) const {
  c10::NoGradGuard no_gradients;
  const auto plan =
      studio_.variant.plan(state.clip, 1);  // prompts are chosen: one is as good as many
  const auto m = plan.motion_frames;
  SVI_CHECK(m < studio_.shape.frames, "[variant] motion_frames = ", m,
            " leaves nothing to generate in a clip of ", studio_.shape.frames, " frames");
  const ConditionBuilder builder(studio_.vae);
  if (!state.last_frames.defined()) {
    const auto copies = plan.repeat_first ? m : 1;
    const auto motion = state.anchor.unsqueeze(2).expand({-1, -1, copies, -1, -1});
    const auto image = builder.build(motion, state.anchor, studio_.shape.frames, rule(plan));
    return sample(told(image, state.anchor, prompts, state.tracks), noise, on_step);
  }
  SVI_CHECK(state.last_frames.size(2) >= m, "the chain hands on ", state.last_frames.size(2),
            " frames, the variant wants ", m);
  const auto motion = rounded(state.last_frames.narrow(2, state.last_frames.size(2) - m, m),
                              studio_.rollout.rounding);
  at::Tensor image;
  if (plan.handover == Handover::latent && state.last_latent.defined()) {
    const auto f = (m - 1) / studio_.vae.config().temporal_stride() + 1;
    const auto last = state.last_latent.narrow(2, state.last_latent.size(2) - f, f);
    image = builder.build_from_latent(last, state.anchor, studio_.shape.frames, m, rule(plan));
  } else {
    image = builder.build(motion, state.anchor, studio_.shape.frames, rule(plan));
  }
  return sample(told(image, motion.select(2, 0), prompts, state.tracks), noise, on_step);
}

}  // namespace svi
