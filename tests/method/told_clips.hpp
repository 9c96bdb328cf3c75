#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <vector>

#include "method/tiny_models.hpp"
#include "svi/guidance/cfg.hpp"
#include "svi/method/rollout.hpp"
#include "svi/sampler/euler.hpp"
#include "svi/tensor/random.hpp"

namespace svi::test {

/// One clip of a film, and what its model was told.
struct ToldClip {
  at::Tensor y;            // [1, s + z, F, h, w]: the part `image`
  at::Tensor seen;         // [1, 3, H, W]: what the image branch saw
  std::string prompt;      // of the clip
  at::Tensor video;        // [1, 3, T, H, W]: decoded
  at::Tensor latent;       // [1, z, F, h, w]: as sampled
  std::int64_t shown = 0;  // frames of it in the film
};

/// Leaves the noise as it is, so that every clip is another, and remembers what it was told.
class Listener final : public VelocityModel {
 public:
  mutable std::vector<at::Tensor> images, clips;  // parts of each clip
  at::Tensor velocity(const at::Tensor& noisy, const at::Tensor&,
                      const Condition& condition) const override {
    images.push_back(condition[part::kImage]);
    clips.push_back(condition[part::kClip]);
    return at::zeros_like(noisy);
  }
};

inline constexpr std::int64_t kToldFrames = 9, kToldSide = 16;  // T; H and W

/// The user's image of told_clips, [1, 3, H, W].
inline at::Tensor told_image() {
  return normal({5, Purpose::test, 0, 0}, {1, 3, kToldSide, kToldSide}).clamp(-1, 1);
}

/// The clips of a film by `method` with the tiny codec; its scene has three prompts.
inline std::vector<ToldClip> told_clips(const Method& method, std::int64_t clips) {
  const auto vae = tiny_vae();
  const EulerSampler sampler({.steps = 1, .shift = 1});
  const NoGuidance unguided;
  const Listener model;
  const auto no_text = [](const std::vector<std::string>& prompts) {
    return at::zeros({static_cast<std::int64_t>(prompts.size()), 2, 4});
  };
  const Studio studio{model,
                      vae,
                      no_text,
                      method,
                      sampler,
                      unguided,
                      {.clips = clips},
                      {kToldFrames, kToldSide, kToldSide},
                      [](const at::Tensor& image) { return image; }};
  std::vector<ToldClip> told;
  roll_out(studio, {{0, "scene", told_image()[0], {"one", "two", "three"}}},
           [&](const RolledClip& clip) {
             const auto i = static_cast<std::size_t>(clip.clip);
             told.push_back({model.images.at(i), model.clips.at(i), clip.prompts.at(0), clip.video,
                             clip.latent, clip.frames.size(2)});
           });
  return told;
}

/// y of these frames [1, 3, T, H, W], with a mask that marks latent frame 0 alone.
inline at::Tensor y_of(const at::Tensor& video) {
  const auto latent = tiny_vae().encode(video);
  auto mask = at::zeros({1, 4, latent.size(2), latent.size(3), latent.size(4)});
  mask.select(2, 0).fill_(1);
  return at::cat({mask, latent}, 1);
}

/// The last `count` frames of a clip, then `rest` to its length: [1, 3, T, H, W].
inline at::Tensor continued(const ToldClip& clip, std::int64_t count, const at::Tensor& rest) {
  const auto behind = rest.unsqueeze(2).expand({-1, -1, kToldFrames - count, -1, -1});
  return at::cat({clip.video.narrow(2, kToldFrames - count, count), behind}, 2);
}

}  // namespace svi::test
