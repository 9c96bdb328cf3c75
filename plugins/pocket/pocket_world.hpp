#pragma once

#include <cstdint>
#include <optional>

#include "pocket/pocket_scene.hpp"
#include "pocket/pocket_story.hpp"
#include "svi/config/option.hpp"
#include "svi/data/clip_source.hpp"

namespace svi {

/// The procedural world of pocket scenes (see PocketScene): endless, with known truth at every
/// frame.
///
/// The prompt names everything but the exact shades and the disc's place, so a model can tell
/// damage from variety. Training and held-out scenes come from separate random sequences and never
/// coincide.
class PocketWorld final : public ClipSource {
 public:
  struct Config {
    double jitter = kPocketJitter;
    double texture = kPocketTexture;
    double speed = kPocketSpeed;
    std::int64_t scenes = 1'000'000;
    std::int64_t story_clips = 1;
    std::int64_t held_out_seed = 1;

    void describe(OptionVisitor& visit);
  };

  explicit PocketWorld(Config config);

  /// Scene number `index` of a split. `seed` is the run's for training; held-out scenes ignore it,
  /// so that every run is judged on the same ones.
  PocketScene pocket_scene(Split split, std::uint64_t seed, std::int64_t index) const;

 private:
  Clip do_training_clip(std::uint64_t seed, std::int64_t draw,
                        const ClipShape& shape) const override;
  std::int64_t do_scene_count() const override { return config_.scenes; }
  Scene do_scene(std::int64_t index, const ClipShape& shape) const override;
  /// Film frame k is the scene at time k: clips of T frames that share one frame at each seam show
  /// film frames c(T-1) .. c(T-1)+T-1.
  std::optional<at::Tensor> do_truth(std::int64_t index, std::int64_t first, std::int64_t count,
                                     const ClipShape& shape) const override;

  double jitter_reach() const;  // of a uniform draw with that deviation
  PocketStory story(std::int64_t index, const ClipShape& shape) const;

  Config config_;
};

}  // namespace svi
