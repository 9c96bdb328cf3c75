#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <deque>
#include <functional>

#include "vbench/frame_values.hpp"
#include "vbench/long/long_cuts.hpp"

namespace svi::vbench {

/// The value of a table at keys 0.00, 0.01, ..., 1.00 between which it is
/// linear; the ends hold beyond them.
double looked_up(const std::array<double, 101>& table, double x);

/// What VBench-Long says of one film.
struct LongValues {
  double in_clips = kUndefined;           // mean over clips of the consistency within them
  double from_clip_to_clip = kUndefined;  // of the first frames of clips; NaN with one clip a scene
  Mean fused;                             // over clips
};

/// VBench-Long's consistency of a film whose frames come one by one: within the clips of each scene
/// (see LongCuts), and from clip to clip.
class LongClips {
 public:
  /// Features [D] by which the first frame of a clip is compared with others,
  /// of what push() was given for it.
  using Look = std::function<at::Tensor(const at::Tensor& prepared)>;
  /// `table` makes clip-to-clip values comparable; it outlives this.
  LongClips(std::int64_t length, const LongCutOptions& options,
            const std::array<double, 101>& table, Look look);
  LongClips(const LongClips&) = delete;
  LongClips& operator=(const LongClips&) = delete;

  /// The next frame: its features within clips, what `look` needs should it be a clip's first, and
  /// its levels [3, H, W].
  void push(const at::Tensor& features, const at::Tensor& prepared, const at::Tensor& levels);
  /// After the last frame.
  LongValues finish();

 private:
  struct Frame {
    at::Tensor features, prepared;
  };
  void close_clip(const std::deque<Frame>& frames);
  void close_scene();

  const std::array<double, 101>& table_;
  Look look_;
  LongCuts<Frame> cuts_;
  Chain first_frames_;            // of the scene's clips
  Mean scene_, scene_between_;    // over the scene's clips; from clip to clip
  Mean clips_, between_, fused_;  // over all scenes
};

}  // namespace svi::vbench
