#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/data/clip_source.hpp"
#include "svi/model/model.hpp"
#include "svi/model/wan/vae.hpp"
#include "svi/sampler/sampler.hpp"
#include "svi/variant/variant.hpp"

namespace svi {

/// Prompts to text context [B, L, D].
using EncodeText = std::function<at::Tensor(const std::vector<std::string>&)>;

/// Images [B, 3, H, W] in [-1, 1] to image tokens [B, tokens, D].
using EncodeImage = std::function<at::Tensor(const at::Tensor&)>;

/// What happens to decoded frames before they condition the next clip.
enum class FrameRounding {
  none,      // fp32 frames go on as they are
  nearest,   // rounded to 8 bits, as a file on disk would hold them
  truncate,  // the reference: truncated to 8 bits, half a level darker with each clip
};
inline std::vector<std::string> enum_names(FrameRounding) {
  return {"none", "nearest", "truncate"};
}

/// Options of a rollout, `[rollout]`.
struct RolloutConfig {
  std::int64_t clips = 10;
  std::int64_t seed = 0;
  FrameRounding rounding = FrameRounding::none;
  bool same_noise = false;
  std::string negative_prompt = {};

  void describe(OptionVisitor& visit) {
    visit(clips, {.key = "clips", .help = "clips per film", .unit = "clips", .min = 1, .max = 1e6});
    visit(seed, {.key = "seed",
                 .help = "seed of the initial noise; scene and clip select the sequence",
                 .min = 0});
    visit(rounding,
          {.key = "rounding",
           .help = "rounding of decoded frames to 8 bits before they condition the next clip"});
    visit(same_noise,
          {.key = "same_noise",
           .help = "use the same noise for every clip of a film (known to accumulate artefacts)"});
    visit(negative_prompt, {.key = "negative_prompt", .help = "prompt of the unguided pass"});
  }
};

/// One finished clip of a batch of films.
struct RolledClip {
  std::int64_t clip = 0;         // index in the film, from 0
  std::int64_t first_frame = 0;  // index in the film of frames[..., 0, ..]
  at::Tensor frames;             // [B, 3, T', H, W]  fp32 in [-1, 1]: what the film shows, stitched
  at::Tensor video;              // [B, 3, T, H, W]   the same before stitching: the clip by itself
  at::Tensor latent;             // [B, z, F, h, w]   as sampled, before stitching
  std::vector<std::string> prompts;  // [B]
};

/// Where a clip in the middle of a chain begins: frames of a film, whoever made them.
struct ClipStart {
  at::Tensor motion;                 // [B, 3, m, H, W]  fp32 in [-1, 1]: the frames handed over
  at::Tensor anchor;                 // [B, 3, H, W]     fp32 in [-1, 1]: the scenes' first images
  std::vector<std::string> prompts;  // [B]
};

/// What the clips of a chain so far hand to the next one. Enough to go on with a film later.
struct ChainState {
  at::Tensor anchor;       // [B, 3, H, W]     the user's images
  at::Tensor last_frames;  // [B, 3, k, H, W]  fp32 in [-1, 1]: k >= m last frames of the clip
                           // before; undefined before clip 0
  at::Tensor last_latent;  // [B, z, F, h, w]  of the clip before, as sampled
  std::int64_t clip = 0;   // the clip that comes next
};

/// Frames of a clip that the film shows.
struct ShownFrames {
  std::int64_t first = 0, count = 0;  // frames, from 0
};
/// Both clips of a seam show m frames; by the plan, one of them gives way. `first`, `last`: of the
/// film.
SVI_EXPORT ShownFrames shown_frames(const ClipPlan& plan, std::int64_t frames, bool first,
                                    bool last);

/// Pixel frames of a film of `clips` clips of T frames that overlap by m: C (T - m) + m.
SVI_EXPORT std::int64_t film_frames(std::int64_t clips, std::int64_t frames,
                                    std::int64_t motion_frames);

/// Makes long videos clip by clip: the last frames of each clip condition the next one.
///
/// Memory and time per clip do not grow with the film. A film depends on its scene and the seed
/// alone, not on the batch it is made in (up to the rounding of batched kernels) and not on ranks.
/// Borrows everything.
class SVI_EXPORT Rollout {
 public:
  /// `encode_image` is called for models with an image branch: with the first of the motion frames.
  Rollout(const VelocityModel& model, const WanVae& vae, EncodeText encode_text,
          const Variant& variant, const Sampler& sampler, RolloutConfig config, ClipShape shape,
          EncodeImage encode_image = {});

  /// Rolls out all scenes as one batch; calls `on_clip` as soon as a clip's frames are final.
  void run(const std::vector<Scene>& scenes,
           const std::function<void(const RolledClip&)>& on_clip) const;

  /// One clip of a chain, by the variant's plan for `state.clip`, one prompt per film: noise [B, z,
  /// F, h, w] to the sampled latent of the same shape. Whoever decodes it advances the state.
  at::Tensor sample_clip(const ChainState& state, const std::vector<std::string>& prompts,
                         const at::Tensor& noise, const OnStep& on_step = {}) const;

  /// What the model is told of a clip that follows these frames, by the variant's plan for the
  /// clips after the first. Frames go through the codec, with latent hand-over too.
  Condition condition(const ClipStart& start) const;
  /// That clip alone: noise [B, z, F, h, w] to the sampled latent of the same shape.
  at::Tensor clip_after(const ClipStart& start, const at::Tensor& noise) const;

 private:
  at::Tensor noise(const std::vector<Scene>& scenes, std::int64_t clip) const;
  Condition told(const at::Tensor& image, const at::Tensor& first_frame,
                 const std::vector<std::string>& prompts) const;
  at::Tensor sample(const Condition& condition, const at::Tensor& noise,
                    const OnStep& on_step = {}) const;

  const VelocityModel& model_;
  const WanVae& vae_;
  EncodeText encode_text_;
  const Variant& variant_;
  const Sampler& sampler_;
  RolloutConfig config_;
  ClipShape shape_;
  EncodeImage encode_image_;
};

}  // namespace svi
