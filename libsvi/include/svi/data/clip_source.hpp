#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/data/tracks.hpp"
#include "svi/plugin/component.hpp"

namespace svi {

/// Training clips never show a held-out scene.
enum class Split { train, held_out };

/// Size of the clips asked for, in pixels and frames.
struct ClipShape {
  std::int64_t frames = 17, height = 32, width = 32;  // T frames; H, W in pixels
  double fps = 0;  // frames per second; 0: as many as the source has
};

/// One training sample.
struct Clip {
  at::Tensor video;  // [3, T, H, W]  fp32 in [-1, 1]
  at::Tensor
      anchor;  // [3, H, W]     fp32 in [-1, 1]: a frame of the same scene, for anchor padding
  std::string prompt;            // what the clip shows
  Tracks tracks = {};            // T frames of each; the same names in every clip
  std::string file = {};         // the video that it is cut out of; empty where there is none
  std::int64_t first_frame = 0;  // in that video, at the clip's frame rate: its frame 0
};

/// One scene to roll out: how it starts and what it is asked to show.
struct Scene {
  std::int64_t index = 0;            // among the held-out scenes, from 0
  std::string name;                  // file-name safe
  at::Tensor image;                  // [3, H, W]  fp32 in [-1, 1]: the user's image
  std::vector<std::string> prompts;  // at least one
  Tracks tracks = {};                // from frame 0 of the film on
  std::string file = {};             // the video that it begins as; empty where there is none
};

/// The options of procedural worlds whose held-out scenes have tracks, and so an end.
struct HeldOutScenes {
  std::int64_t scenes = 1'000'000;
  std::int64_t frames = 1000;
  std::int64_t held_out_seed = 1;

  /// `track`: what has that length, such as "the sound".
  void describe(OptionVisitor& visit, const std::string& track) {
    visit(scenes, {.key = "scenes", .help = "number of held-out scenes", .min = 1});
    visit(frames, {.key = "frames",
                   .help = "length of " + track + " of a held-out scene",
                   .unit = "frames",
                   .min = 1,
                   .max = 1e6});
    visit(held_out_seed, {.key = "held_out_seed",
                          .help = "which held-out scenes; the same for all runs to be compared",
                          .min = 0});
  }
};

/// Where clips and scenes come from.
///
/// A pure function of its arguments and the seed: any rank can make any clip. One thread at a time.
class SVI_EXPORT ClipSource : public Component {
 public:
  static constexpr std::string_view kKind = "data";
  ~ClipSource() override;

  /// Training clip number `draw` of the run with this seed; without end for procedural worlds and
  /// folders alike.
  Clip training_clip(std::uint64_t seed, std::int64_t draw, const ClipShape& shape) const;
  /// How many held-out scenes there are (procedural worlds answer a very large number).
  std::int64_t scene_count() const { return do_scene_count(); }
  Scene scene(std::int64_t index, const ClipShape& shape) const;  // 0 <= index < scene_count()
  /// What the scene truly looks like at frames first .. first+count-1 of the film, [3, count, H, W]
  /// fp32 in
  /// [-1, 1], where it is known (frame 0 is the scene's image).
  std::optional<at::Tensor> truth(std::int64_t index, std::int64_t first, std::int64_t count,
                                  const ClipShape& shape) const;

 private:
  virtual Clip do_training_clip(std::uint64_t seed, std::int64_t draw,
                                const ClipShape& shape) const = 0;
  virtual std::int64_t do_scene_count() const = 0;
  virtual Scene do_scene(std::int64_t index, const ClipShape& shape) const = 0;
  virtual std::optional<at::Tensor> do_truth(std::int64_t index, std::int64_t first,
                                             std::int64_t count, const ClipShape& shape) const;
};

}  // namespace svi
