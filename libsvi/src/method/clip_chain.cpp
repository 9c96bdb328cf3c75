#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include "svi/core/check.hpp"
#include "svi/method/chain.hpp"
#include "svi/model/wan/condition.hpp"

namespace svi {
namespace {

/// Latents that carry the motion: all that the frames make, or those behind the anchor's slot.
std::int64_t motion_latents(const ClipPlan& plan, std::int64_t stride) {
  const auto more = (plan.motion_frames - 1) / stride;
  return plan.condition.layout == ConditionLayout::anchor_first ? more : more + 1;
}

}  // namespace

at::Tensor seen_image(ClipImage choice, const at::Tensor& motion, const at::Tensor& anchor) {
  if (choice == ClipImage::anchor) {
    SVI_CHECK(anchor.defined(), "[method] clip_image = anchor needs an anchor");
    return anchor;
  }
  return motion.select(2, choice == ClipImage::first ? 0 : motion.size(2) - 1);
}

ClipChain::ClipChain(Studio studio, std::string_view what)
    : studio_(std::move(studio)), method_(chain_of(studio_.method, what)) {
  studio_.vae.latent_frames(studio_.shape.frames);  // refuses an illegal clip length
  method_.check(studio_.shape, studio_.vae.config().temporal_stride(), studio_.sampler);
}

std::int64_t ClipChain::motion_frames() const { return method_.plan(1).motion_frames; }

Condition ClipChain::condition(const ClipStart& start) const {
  const c10::NoGradGuard no_gradients;
  const auto motion = rounded(start.motion, studio_.rollout.rounding);
  const auto plan = method_.plan(1);
  const auto y = ConditionBuilder(studio_.vae)
                     .build(motion, start.anchor, studio_.shape.frames, plan.condition);
  const auto image = seen_image(plan.clip_image, motion, start.anchor);
  return told(studio_, y, image, start.prompts, start.tracks);
}

at::Tensor ClipChain::clip_after(const ClipStart& start, const at::Tensor& noise) const {
  return sample(studio_, condition(start), noise).latent;
}

at::Tensor ClipChain::handed_over(const at::Tensor& video, const at::Tensor& latent) const {
  const c10::NoGradGuard no_gradients;
  const auto plan = method_.plan(1);
  if (plan.handover == Handover::latent) {
    const auto f = motion_latents(plan, studio_.vae.config().temporal_stride());
    return latent.narrow(2, latent.size(2) - f, f);
  }
  const auto tail =
      tail_latents(studio_.vae, rounded(video, studio_.rollout.rounding), plan.motion_frames);
  const auto f = motion_latents(plan, studio_.vae.config().temporal_stride());
  return tail.narrow(2, tail.size(2) - f, f);
}

Sampled ClipChain::next(const ChainState& state, const std::vector<std::string>& prompts,
                        const at::Tensor& noise, const OnStep& on_step) const {
  const c10::NoGradGuard no_gradients;
  const auto plan = method_.plan(state.clip);
  const auto T = studio_.shape.frames, m = plan.motion_frames;
  const ConditionBuilder builder(studio_.vae);
  if (!state.last_latent.defined() && !state.last_frames.defined()) {
    const auto copies = plan.repeat_first ? m : 1;
    const auto motion = state.anchor.unsqueeze(2).expand({-1, -1, copies, -1, -1});
    const auto y = builder.build(motion, state.anchor, T, plan.condition);
    return sample(studio_, told(studio_, y, state.anchor, prompts, state.tracks), noise, on_step);
  }
  SVI_CHECK(state.last_frames.defined() && state.last_frames.size(2) >= m, "clip ", state.clip,
            " of a chain is conditioned on the last ", m, " frames of the clip before");
  const auto motion = rounded(state.last_frames.narrow(2, state.last_frames.size(2) - m, m),
                              studio_.rollout.rounding);
  at::Tensor y;
  if (plan.handover == Handover::latent && state.last_latent.defined()) {
    const auto f = motion_latents(plan, studio_.vae.config().temporal_stride());
    const auto last = state.last_latent.narrow(2, state.last_latent.size(2) - f, f);
    y = builder.build_from_latent(last, state.anchor, T, m, plan.condition);
  } else {
    y = builder.build(motion, state.anchor, T, plan.condition);
  }
  const auto image = seen_image(plan.clip_image, motion, state.anchor);
  return sample(studio_, told(studio_, y, image, prompts, state.tracks), noise, on_step);
}

}  // namespace svi
