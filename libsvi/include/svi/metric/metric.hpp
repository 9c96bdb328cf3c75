#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "svi/core/export.hpp"
#include "svi/plugin/component.hpp"

namespace svi {

/// Which values of a quantity are good ones; `one`: the nearer to 1 the better.
enum class Better { higher, lower, one };
/// "higher", "lower", "one".
SVI_EXPORT std::vector<std::string> enum_names(Better);

/// One number a metric gives for each clip of a film (and perhaps each frame); or, with `features`,
/// one number for each set of clips: all scenes' clips of the same index.
struct Quantity {
  std::string name;                // snake_case, unique in a run: "psnr", "pocket_quality"
  std::string unit;                // "dB", "1", "px"
  std::string meaning;             // one sentence for users
  Better better = Better::higher;  // which values are good
  bool per_frame = false;          // also given frame by frame
  bool needs_truth = false;        // NaN without the truth
  /// D: for each clip, sessions give no number but vectors of D features of `feature_frames` frames
  /// and of the truth there; the number of a set is the Frechet distance between the two, see
  /// frechet_distance(). 0: an ordinary quantity.
  std::int64_t features = 0;
  std::int64_t feature_frames = 0;  // K: frames of each clip that give features
};

/// One clip of a film as a metric sees it; borrowed for the call. Frames are what the film shows
/// after stitching, so that clips neither overlap nor leave gaps.
struct ClipView {
  std::int64_t clip = 0;         // index in the film, from 0
  std::int64_t first_frame = 0;  // index in the film of the first frame here
  const at::Tensor& frames;      // [3, T, H, W]  fp32 in [0, 1]
  const at::Tensor& truth;       // [3, T, H, W]  fp32 in [0, 1], or undefined
  const std::string& prompt;     // of this clip
};

/// Receives a metric's numbers; index is into the metric's `quantities()`.
class SVI_EXPORT MetricSink {
 public:
  virtual ~MetricSink();
  virtual void clip(std::size_t quantity, double value) = 0;  // NaN where undefined
  virtual void frames(std::size_t quantity,
                      const std::vector<double>&) = 0;  // one value per frame of the clip
  /// Of a quantity with features: both [K, D] fp32, K <= feature_frames rows of this clip and of
  /// the truth at the same frames.
  virtual void features(std::size_t quantity, const at::Tensor& shown, const at::Tensor& truth) = 0;
};

/// A metric at work on one film; clips come in order, each once; keeps what it needs of earlier
/// clips.
class SVI_EXPORT MetricSession {
 public:
  virtual ~MetricSession();
  virtual void add(const ClipView& clip, MetricSink& sink) = 0;  // measures one clip
};

/// Turns films into named numbers. Sessions are independent; memory does not grow with the film's
/// length.
class SVI_EXPORT Metric : public Component {
 public:
  static constexpr std::string_view kKind = "metric";
  ~Metric() override;

  virtual std::vector<Quantity> quantities() const = 0;
  virtual std::unique_ptr<MetricSession> open() const = 0;
};

}  // namespace svi
