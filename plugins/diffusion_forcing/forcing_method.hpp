#pragma once

#include <cstdint>
#include <functional>
#include <svi/method/method.hpp>
#include <vector>

#include "diffusion_forcing/history_passes.hpp"
#include "diffusion_forcing/schedule.hpp"

namespace forcing {

/// How a film of frames with levels of their own is made, chunk after chunk.
struct ForcingPlan {
  /// The steps of a chunk of `frames` new frames behind `ready` clean ones.
  using Rows = std::function<std::vector<ScheduleRow>(std::int64_t steps, std::int64_t frames,
                                                      std::int64_t ready, std::int64_t window)>;
  Rows rows;
  std::int64_t context = 1;    // latent frames of history that a chunk sees
  std::int64_t sink = 0;       // of these, so many are the film's first, the others its last
  std::int64_t window = 0;     // latent frames that the model sees; 0: those of a clip
  std::int64_t chunk = 0;      // new latent frames of a schedule, at most; 0: the window's rest
  double context_level = 0;    // flow time that the model is told of the history
  bool context_noise = false;  // noise the history to that level, too
  /// The history is the condition image alone, and no frame of the latent: the window's first frame
  /// is made again and dropped, and all frames share a flow time, as in the training of the base.
  bool known_by_image = false;
  /// Causal windows: frames that stand do not see those that move, so their keys and values are
  /// kept and not computed again (CausalWindow). Noise of the history is then one draw for each
  /// level.
  bool cache = false;
  bool renoise = false;  // steps go through the clean estimate and fresh noise, not along v
  std::vector<double> corrected =
      {};                      // u of the levels at which a chunk is calibrated by the image
  double strength = 1;         // of that calibration
  HistoryScheme history = {};  // guidance
};

/// A method whose films are chunks of frames, each with its level, behind clean ones.
///
/// Films are one stretch of latents: C clips of T frames have C (T - 1) + 1 frames, and the first
/// latent is the image. Memory and time per clip do not grow. A film goes on from its pieces.
class ForcingMethod : public svi::Method {
 public:
  ForcingMethod(ForcingPlan plan, svi::PromptOptions prompts)
      : plan_(std::move(plan)), prompts_(prompts) {}

  svi::MethodNeeds needs() const override {
    return {.steps = true, .no_cut = true, .no_before = true};
  }

 private:
  void do_check(const svi::ClipShape& shape, std::int64_t stride,
                const svi::Sampler& sampler) const override;
  std::unique_ptr<svi::Film> do_begin(const svi::Studio& studio,
                                      const svi::FilmRequest& request) const override;
  std::int64_t do_frames(const svi::ClipShape& shape, std::int64_t clips, const svi::Script*,
                         bool) const override;
  std::int64_t do_prompt_of(std::int64_t clip, std::int64_t count) const override {
    return prompts_.prompt_of(clip, count);
  }

  ForcingPlan plan_;
  svi::PromptOptions prompts_;
};

/// Sizes of the chunks that a piece of `added` latent frames is made of, as even as possible and at
/// most `most` each.
std::vector<std::int64_t> chunks_of(std::int64_t added, std::int64_t most);

}  // namespace forcing
