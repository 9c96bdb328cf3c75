#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <deque>
#include <functional>

#include "vbench/frame_values.hpp"

namespace svi::vbench {

/// The value of a table at keys 0.00, 0.01, ..., 1.00 between which it is
/// linear; the ends hold beyond them.
double looked_up(const std::array<double, 101>& table, double x);

/// What VBench-Long says of one film.
struct LongValues {
  double in_clips = kUndefined;           // mean over clips of the consistency within them
  double from_clip_to_clip = kUndefined;  // of the first frames of clips; NaN with one clip
  Mean fused;                             // over clips
};

/// VBench-Long's clips of a film whose frames come one by one: clips of equal
/// length one after the other; where the last is incomplete, the last frames of
/// that length take its place, so that they overlap the clip before. A shorter
/// film is one clip. Keeps no more than one clip's frames.
class LongClips {
 public:
  /// Features [D] by which the first frame of a clip is compared with others,
  /// of what push() was given for it.
  using Look = std::function<at::Tensor(const at::Tensor& prepared)>;
  LongClips(std::int64_t length, Look look) : length_(length), look_(std::move(look)) {}

  /// The next frame: its features within clips, and what `look` needs should it
  /// be a clip's first.
  void push(const at::Tensor& features, const at::Tensor& prepared);
  /// After the last frame. `table` makes clip-to-clip values comparable.
  LongValues finish(const std::array<double, 101>& table);

 private:
  struct Frame {
    at::Tensor features, prepared;
  };
  /// A clip is whole: its consistency, and what `look` needs of its first
  /// frame.
  void close(double consistency, const at::Tensor& first);

  std::int64_t length_;
  Look look_;
  std::int64_t frames_ = 0;
  std::deque<Frame> last_;  // the last frames, `length_` of them at most
  at::Tensor opening_;      // of the first frame of the open clip
  Chain within_, first_frames_;
  Mean clip_, clips_,
      between_;  // within the open clip; over closed clips; from clip to clip
};

}  // namespace svi::vbench
