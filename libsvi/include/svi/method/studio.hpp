#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/data/clip_source.hpp"
#include "svi/guidance/denoiser.hpp"
#include "svi/method/method.hpp"
#include "svi/model/model.hpp"
#include "svi/model/wan/vae.hpp"
#include "svi/sampler/sampler.hpp"

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
  PassMode passes = PassMode::separate;

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
    visit(passes, {.key = "passes",
                   .help = "separate: the guidance's passes run one by one; batched: as one pass "
                           "over a larger batch"});
  }
};

/// All that films are made with. One model, one way of making films; training, films, experiments
/// and diagnostics share it, so that none of them forgets a part. Borrows everything.
struct Studio {
  const VelocityModel& model;            // noisy latents to velocities
  const WanVae& vae;                     // frames to latents and back
  EncodeText encode_text;                // prompts to the text context
  const Method& method;                  // how films are made
  const Sampler& sampler;                // noise to a clip
  const Guidance& guidance;              // the passes of a step
  RolloutConfig rollout;                 // settings of films
  ClipShape shape;                       // of every clip
  EncodeImage encode_image = {};         // empty for models without an image branch
  std::vector<std::string> tracks = {};  // what the model reads of the scenes' tracks
};

/// The same studio for films of another number of clips.
inline Studio with_clips(Studio studio, std::int64_t clips) {
  studio.rollout.clips = clips;
  return studio;
}

/// The studio's model under its guidance, told a condition. The negative prompt takes the place of
/// the text in what unconditional passes are told; without one they see no text, zeros.
SVI_EXPORT Denoiser denoiser(const Studio& studio, const Condition& condition);

/// A sampled latent and what it took.
struct Sampled {
  at::Tensor latent;             // [B, z, F, h, w] fp32
  std::int64_t evaluations = 0;  // function evaluations, per film
};
/// One clip: noise [B, z, F, h, w] on any device to its latent, by the studio's sampler. No
/// gradients are recorded.
SVI_EXPORT Sampled sample(const Studio& studio, const Condition& condition, const at::Tensor& noise,
                          const OnStep& on_step = {});

/// What the model is told of a film's stretch: prompts [B]; y [B, s + z, F, h, w], see
/// ConditionBuilder; where it has an image branch, the image [B, 3, H, W] in [-1, 1] that it sees;
/// and its tracks.
SVI_EXPORT Condition told(const Studio& studio, const at::Tensor& y, const at::Tensor& image,
                          const std::vector<std::string>& prompts, const Condition& tracks = {});

/// Frames as they condition the next clip, by [rollout] rounding. In [-1, 1], any shape.
SVI_EXPORT at::Tensor rounded(const at::Tensor& frames, FrameRounding rounding);

/// Sizes of the latent of a clip, [z, F, h, w].
SVI_EXPORT std::vector<std::int64_t> latent_sizes(const Studio& studio);

}  // namespace svi
