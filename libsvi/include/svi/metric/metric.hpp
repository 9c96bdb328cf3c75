#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "svi/plugin/component.hpp"

namespace svi {

/// One number a metric gives for each clip of a film (and perhaps each frame).
struct Quantity {
  std::string name;  // snake_case, unique in a run: "psnr", "pocket_quality"
  std::string unit;  // "dB", "1", "px"
  std::string meaning;
  bool higher_is_better = true;
  bool per_frame = false;  // also given frame by frame
  bool needs_truth = false;
};

/// One clip of a film as a metric sees it; borrowed for the call. Frames are what the film shows
/// after stitching, so that clips neither overlap nor leave gaps.
struct ClipView {
  std::int64_t clip = 0;         // index in the film, from 0
  std::int64_t first_frame = 0;  // index in the film of the first frame here
  const at::Tensor& frames;      // [3, T, H, W]  fp32 in [0, 1]
  const at::Tensor& truth;       // [3, T, H, W]  fp32 in [0, 1], or undefined
  const std::string& prompt;
};

/// Receives a metric's numbers; index is into the metric's `quantities()`.
class SVI_EXPORT MetricSink {
 public:
  virtual ~MetricSink();
  virtual void clip(std::size_t quantity, double value) = 0;  // NaN where undefined
  virtual void frames(std::size_t quantity,
                      const std::vector<double>&) = 0;  // one value per frame of the clip
};

/// A metric at work on one film; clips come in order, each once; keeps what it needs of earlier
/// clips.
class SVI_EXPORT MetricSession {
 public:
  virtual ~MetricSession();
  virtual void add(const ClipView& clip, MetricSink& sink) = 0;
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
