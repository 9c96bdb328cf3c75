#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

namespace svi::vision {

/// Which loud frames of a film begin a scene. Frames are loud where the picture changes at once; a
/// burst of them is one cut, and scenes have a smallest length. (Facts: the merging filter of
/// PySceneDetect 0.7.2.)
class CutFilter {
 public:
  explicit CutFilter(std::int64_t fewest) : fewest_(fewest) {}  // frames of a scene

  /// The next frame; the frame that begins a scene, where that is decided now.
  std::optional<std::int64_t> add(bool loud);
  /// The first frame of which it is open whether it begins a scene: never more than `fewest` behind
  /// the last one. At the end of the film open frames begin none.
  std::int64_t open() const;

 private:
  std::int64_t fewest_;
  std::int64_t next_ = 0;   // frame
  std::int64_t loud_ = 0;   // the last loud frame; at first the first one
  std::int64_t burst_ = 0;  // where the burst began
  bool had_cut_ = false;    // bursts before the first cut are no scenes of their own
  bool in_burst_ = false;
};

/// Finds the cuts of a film as PySceneDetect's ContentDetector does (Castellano; BSD-3-Clause):
/// frames at most 256 pixels long, hue, saturation and value in 8 bits, and the mean of their three
/// mean absolute changes against `threshold`. Facts are from version 0.7.2, code is ours.
class SceneCuts {
 public:
  SceneCuts(double threshold, std::int64_t fewest) : threshold_(threshold), filter_(fewest) {}

  /// The next frame, levels [3, H, W] from 0 to 255; the frame that begins a scene, see CutFilter.
  std::optional<std::int64_t> add(const at::Tensor& levels);
  std::int64_t open() const { return filter_.open(); }
  /// How much the last frame differs from the one before; 0 for the first.
  double change() const { return change_; }

 private:
  double threshold_;
  CutFilter filter_;
  at::Tensor before_;  // [3, h, w] int32: hue, saturation, value
  double change_ = 0;
};

/// Hue (0 to 179), saturation and value (0 to 255) of levels [3, H, W], rounded as OpenCV's 8-bit
/// conversion rounds them: int32 [3, H, W].
at::Tensor hue_saturation_value(const at::Tensor& levels);

}  // namespace svi::vision
