#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "svi/method/method.hpp"
#include "svi/method/studio.hpp"

namespace svi {

/// A method whose films are clips, one after the other, each conditioned on the last frames of the
/// clip before.
class SVI_EXPORT ChainMethod : public Method {
 public:
  /// Plan of clip `clip`, from 0.
  ClipPlan plan(std::int64_t clip) const;

  const ChainMethod* chain() const final { return this; }
  std::int64_t shown_before(std::int64_t frames) const override;

 private:
  virtual ClipPlan do_plan(std::int64_t clip) const = 0;

  void do_check(const ClipShape& shape, std::int64_t stride, const Sampler& sampler) const override;
  std::unique_ptr<Film> do_begin(const Studio& studio, const FilmRequest& request) const final;
  std::int64_t do_frames(const ClipShape& shape, std::int64_t clips, const Script* script,
                         bool continued) const final;
};

/// A chain by the shared options.
class OptionChain : public ChainMethod {
 public:
  /// A chain with these options.
  explicit OptionChain(ChainOptions options = {}) : options_(options) {}

  TrainingPlan training() const override { return options_.training(); }

 private:
  ClipPlan do_plan(std::int64_t) const override { return options_.plan(); }
  std::int64_t do_prompt_of(std::int64_t clip, std::int64_t count) const override {
    return options_.prompt_of(clip, count);
  }

  ChainOptions options_;
};

/// The same with its own defaults, which is all that most variants are:
/// `Defaults::set(ChainOptions&)`.
template <class Defaults>
class ChainOf final : public OptionChain {
 public:
  struct Config : ChainOptions {  // The shared options, with its own defaults.
    Config() { Defaults::set(*this); }
  };

  /// A chain with these options.
  explicit ChainOf(const Config& config) : OptionChain(config) {}
};

/// Frames of a clip that the film shows.
struct ShownFrames {
  std::int64_t first = 0, count = 0;  // frames, from 0
};
/// Both clips of a seam show m frames; by the plan, one of them gives way. `first`, `last`: of the
/// film, or of a scene.
SVI_EXPORT ShownFrames shown_frames(const ClipPlan& plan, std::int64_t frames, bool first,
                                    bool last);

/// Pixel frames of a chain of `clips` clips of T frames that overlap by m: C (T - m) + m.
SVI_EXPORT std::int64_t chain_frames(std::int64_t clips, std::int64_t frames,
                                     std::int64_t motion_frames);

/// The picture [B, 3, H, W] that an image branch sees: one of the motion frames [B, 3, m, H, W], or
/// the anchor [B, 3, H, W].
SVI_EXPORT at::Tensor seen_image(ClipImage choice, const at::Tensor& motion,
                                 const at::Tensor& anchor);

/// Where a clip in the middle of a chain begins: frames of a film, whoever made them.
struct ClipStart {
  at::Tensor motion;                 // [B, 3, m, H, W]  fp32 in [-1, 1]: the frames handed over
  at::Tensor anchor;                 // [B, 3, H, W]     fp32 in [-1, 1]: the scenes' first images
  std::vector<std::string> prompts;  // [B]
  Condition tracks = {};             // what the model reads of the clip's tracks, [B, T, ...]
};

/// What the clips of a chain so far hand to the next one. Enough to go on with a film later.
struct ChainState {
  at::Tensor anchor;       // [B, 3, H, W]     the user's images
  at::Tensor last_frames;  // [B, 3, k, H, W]  fp32 in [-1, 1]: k >= m last frames of the clip
                           // before; undefined before clip 0
  at::Tensor last_latent;  // [B, z, F, h, w]  of the clip before, as sampled
  std::int64_t clip = 0;   // the clip that comes next
  Condition tracks = {};   // what the model reads of that clip's tracks, [B, T, ...]
};

/// Clips of a chain, one at a time: what a chain's films, on-policy errors and diagnostics share.
///
/// Models with an image branch see what the plan's clip_image says. No gradients are recorded.
class SVI_EXPORT ClipChain {
 public:
  /// Throws ConfigError where the studio's method is no chain; `what` asks for one, such as
  /// "[diagnostic.loop_gain]". Borrows what the studio borrows.
  explicit ClipChain(Studio studio, std::string_view what = "this");

  const ChainMethod& method() const { return method_; }  // the studio's
  /// Pixel frames that a clip hands to the next, m < T.
  std::int64_t motion_frames() const;
  /// The condition's latent frame at which motion begins: 0, or 1 behind an anchor.
  std::int64_t motion_slot() const {
    return method_.plan(1).condition.layout == ConditionLayout::anchor_first ? 1 : 0;
  }
  /// Whether it hands on its last latents themselves.
  bool hands_over_latents() const { return method_.plan(1).handover == Handover::latent; }

  /// The next clip, one prompt per film: noise [B, z, F, h, w] to the sampled latent of the same
  /// shape. Whoever decodes it advances the state.
  Sampled next(const ChainState& state, const std::vector<std::string>& prompts,
               const at::Tensor& noise, const OnStep& on_step = {}) const;

  /// What the model is told of a clip that follows these frames, by the plan for the clips after
  /// the first. Frames go through the codec, with latent hand-over too.
  Condition condition(const ClipStart& start) const;
  /// That clip alone: noise [B, z, F, h, w] to the sampled latent of the same shape.
  at::Tensor clip_after(const ClipStart& start, const at::Tensor& noise) const;
  /// What a finished clip puts into the next one's condition, [B, z, f, h, w]: its last motion
  /// frames, rounded and encoded again, or its last latent frames, as the plan says.
  /// video [B, 3, T, H, W] in [-1, 1], latent [B, z, F, h, w].
  at::Tensor handed_over(const at::Tensor& video, const at::Tensor& latent) const;

 private:
  Studio studio_;
  const ChainMethod& method_;
};

}  // namespace svi
