#include "svi/model/wan/condition.hpp"

#include <ATen/ATen.h>

#include "svi/model/wan/vae.hpp"
#include "svi/tensor/dims.hpp"

namespace svi {
namespace {

/// Motion frames, then the anchor or grey: the condition video [B, 3, T, H, W].
at::Tensor condition_video(const at::Tensor& motion, const at::Tensor& anchor, std::int64_t frames,
                           std::int64_t anchor_copies) {
  const auto [B, C, k, H, W] = dims<5>(motion, "motion frames [B, 3, k, H, W]");
  SVI_CHECK(k <= frames, k, " motion frames do not fit in a clip of ", frames);
  auto video = at::zeros({B, C, frames, H, W}, motion.options());
  video.narrow(2, 0, k).copy_(motion);
  const auto room = frames - k;
  const auto copies = anchor_copies < 0 ? room : std::min(anchor_copies, room);
  if (copies > 0) {
    SVI_CHECK(anchor.defined() && anchor.dim() == 4 && anchor.size(0) == B,
              "anchor padding needs an anchor [B, 3, H, W]");
    video.narrow(2, k, copies).copy_(anchor.unsqueeze(2));
  }
  return video;
}

}  // namespace

at::Tensor ConditionBuilder::mask(std::int64_t known, std::int64_t frames, std::int64_t h,
                                  std::int64_t w) const {
  const auto s = vae_.config().temporal_stride();
  auto flat = at::zeros({frames, h, w});
  flat.narrow(0, 0, std::max<std::int64_t>(known, 1)).fill_(1);
  const auto repeated =
      at::cat({flat.narrow(0, 0, 1).repeat({s, 1, 1}), flat.narrow(0, 1, frames - 1)});
  return repeated.view({-1, s, h, w}).transpose(0, 1).contiguous();  // [s, F, h, w]
}

at::Tensor ConditionBuilder::with_mask(const at::Tensor& latent, std::int64_t known,
                                       std::int64_t frames) const {
  const auto [B, z, F, h, w] = dims<5>(latent, "condition latent [B, z, F, h, w]");
  const auto marks = mask(known, frames, h, w).to(latent.options()).expand({B, -1, F, h, w});
  return at::cat({marks, latent}, 1);  // [B, s + z, F, h, w]
}

/// The anchor alone, motion latents [B, z, n, h, w] (undefined: none), zeros.
at::Tensor ConditionBuilder::anchored(const at::Tensor& motion, const at::Tensor& anchor,
                                      std::int64_t frames) const {
  SVI_CHECK(anchor.defined() && anchor.dim() == 4, "the layout anchor_first needs an anchor");
  const auto first = vae_.encode(anchor.unsqueeze(2));  // [B, z, 1, h, w]
  auto sizes = first.sizes().vec();
  sizes[2] = vae_.latent_frames(frames);
  auto latent = first.new_zeros(sizes);
  latent.narrow(2, 0, 1).copy_(first);
  if (!motion.defined()) return latent;
  SVI_CHECK(motion.size(2) < sizes[2], motion.size(2), " motion latents behind an anchor do not ",
            "fit in a clip of ", sizes[2]);
  latent.narrow(2, 1, motion.size(2)).copy_(motion);
  return latent;
}

at::Tensor ConditionBuilder::build(const at::Tensor& motion, const at::Tensor& anchor,
                                   std::int64_t frames, const ConditionRule& rule) const {
  const auto F = vae_.latent_frames(frames);  // refuses an illegal T
  const auto k = motion.size(2), s = vae_.config().temporal_stride();
  const auto known = rule.mask_all_motion ? k : 1;
  if (rule.layout == ConditionLayout::anchor_first) {
    SVI_CHECK((k - 1) % s == 0, k,
              " motion frames are no whole number of latents behind an anchor");
    const auto n = (k - 1) / s;
    const auto latents = n == 0 ? at::Tensor() : vae_.encode(motion).narrow(2, 1, n);
    return with_mask(anchored(latents, anchor, frames), known, frames);
  }
  auto latent = vae_.encode(condition_video(motion, anchor, frames, rule.anchor_copies));
  if (rule.zero_latents && rule.anchor_copies >= 0) {
    const auto given = std::min(k + rule.anchor_copies, frames);
    const auto kept = (given - 1 + s - 1) / s + 1;  // latents with at least one given frame
    if (kept < F) latent.narrow(2, kept, F - kept).zero_();
  }
  return with_mask(latent, known, frames);
}

at::Tensor ConditionBuilder::build_from_latent(const at::Tensor& motion, const at::Tensor& anchor,
                                               std::int64_t frames, std::int64_t motion_frames,
                                               const ConditionRule& rule) const {
  const auto [B, z, f, h, w] = dims<5>(motion, "motion latents [B, z, f, h, w]");
  if (rule.layout == ConditionLayout::anchor_first) {
    const auto known = rule.mask_all_motion ? 1 + f * vae_.config().temporal_stride() : 1;
    return with_mask(anchored(motion, anchor, frames), known, frames);
  }
  const auto stride = vae_.config().spatial_stride();
  const auto first = anchor.defined()
                         ? anchor.unsqueeze(2)
                         : at::zeros({B, 3, 1, h * stride, w * stride}, motion.options());
  auto y = build(first.expand({-1, -1, motion_frames, -1, -1}), anchor, frames, rule);
  const auto channels = vae_.config().temporal_stride();  // the mask's
  SVI_CHECK(f <= y.size(2), f, " motion latents do not fit in a clip of ", y.size(2));
  y.narrow(1, channels, z).narrow(2, 0, f).copy_(motion);
  return y;
}

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

}  // namespace svi
