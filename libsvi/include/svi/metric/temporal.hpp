#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/metric/metric.hpp"

namespace svi {

/// VBench's temporal flickering of a whole video, uint8 [T, 3, H, W], T >= 2: one minus the mean
/// absolute change between neighbouring frames over 255, in [0, 1], higher is steadier (Huang et
/// al. 2024, arXiv 2311.17982). Channel order does not matter.
SVI_EXPORT double temporal_flickering(const at::Tensor& frames);

/// Mean absolute change from each frame to the next, in [0, 1]: T-1 values of a video [3, T, H, W]
/// in [0, 1].
SVI_EXPORT std::vector<double> frame_changes(const at::Tensor& frames);

/// `temporal_flicker`: temporal_flickering's formula on each clip and the frame before it, frames
/// rounded to 8 bits. Only the whole video's value compares with VBench, and only after its static
/// filter.
class SVI_EXPORT TemporalFlickerMetric final : public Metric {
 public:
  struct Config {
    void describe(OptionVisitor&) {}
  };

  explicit TemporalFlickerMetric(Config) {}
  std::vector<Quantity> quantities() const override;
  std::unique_ptr<MetricSession> open() const override;
};

/// `seam_jump`: the change from the last frame of the clip before to the first of this one, over
/// the mean change inside this clip. 1 is a seam nobody can see. Undefined for the film's first
/// clip and for clips of one frame.
class SVI_EXPORT SeamJumpMetric final : public Metric {
 public:
  struct Config {
    double floor = 0.25 / 255;  // stills would divide by zero

    void describe(OptionVisitor& visit);
  };

  explicit SeamJumpMetric(Config config) : config_(config) {}
  std::vector<Quantity> quantities() const override;
  std::unique_ptr<MetricSession> open() const override;

 private:
  Config config_;
};

/// `motion`: mean change between the clip's frames over that of the truth. 1 is right, 0 a frozen
/// picture.
class SVI_EXPORT MotionMetric final : public Metric {
 public:
  struct Config {
    void describe(OptionVisitor&) {}
  };

  explicit MotionMetric(Config) {}
  std::vector<Quantity> quantities() const override;
  std::unique_ptr<MetricSession> open() const override;
};

}  // namespace svi
