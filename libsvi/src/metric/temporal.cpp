#include "svi/metric/temporal.hpp"

#include <ATen/ATen.h>

#include "frames_detail.hpp"
#include "svi/core/check.hpp"
#include "svi/tensor/dims.hpp"

namespace svi {
namespace {

/// Mean absolute difference of two uint8 pictures. Rounded to fp32, as VBench's mean of fp32 arrays
/// is.
float byte_change(const at::Tensor& a, const at::Tensor& b) {
  const auto gap = at::maximum(a, b) - at::minimum(a, b);  // uint8 cannot be negative
  const auto sum = gap.sum(at::kLong).item<std::int64_t>();
  return static_cast<float>(static_cast<double>(sum) / static_cast<double>(gap.numel()));
}

/// Sum in fp32 with eight partial sums, halving long ranges: the order in which NumPy adds.
/// VBench's published digits depend on it.
float pairwise_sum(const float* values, std::size_t count) {
  if (count > 128) {
    const auto half = count / 2 - count / 2 % 8;
    return pairwise_sum(values, half) + pairwise_sum(values + half, count - half);
  }
  float sum = 0;
  std::size_t i = 0;
  if (count >= 8) {
    std::array<float, 8> part;
    std::copy_n(values, 8, part.begin());
    for (i = 8; i + 8 <= count; i += 8) {
      for (std::size_t k = 0; k < 8; ++k) part[k] += values[i + k];
    }
    sum = ((part[0] + part[1]) + (part[2] + part[3])) + ((part[4] + part[5]) + (part[6] + part[7]));
  }
  for (; i < count; ++i) sum += values[i];
  return sum;
}

/// Keeps the last frame of the clip before.
class Chained : public MetricSession {
 public:
  void add(const ClipView& clip, MetricSink& sink) final {
    dims<4>(clip.frames, "frames [3, T, H, W]");
    measure(clip, sink);
    last_ = clip.frames.select(1, clip.frames.size(1) - 1).clone();
  }

 protected:
  const at::Tensor& last() const { return last_; }  // [3, H, W], undefined in the first clip

 private:
  virtual void measure(const ClipView& clip, MetricSink& sink) = 0;

  at::Tensor last_;
};

class FlickerSession final : public Chained {
  void measure(const ClipView& clip, MetricSink& sink) override {
    auto frames = clip.frames;  // [3, T, H, W]
    if (last().defined()) frames = at::cat({last().unsqueeze(1), frames}, 1);
    if (frames.size(1) < 2) return sink.clip(0, detail::kNan);
    const auto bytes = (frames.clamp(0, 1) * 255.0).round().to(at::kByte);
    sink.clip(0, temporal_flickering(bytes.transpose(0, 1)));
  }
};

class SeamSession final : public Chained {
 public:
  explicit SeamSession(double floor) : floor_(floor) {}

 private:
  void measure(const ClipView& clip, MetricSink& sink) override {
    if (!last().defined()) return sink.clip(0, detail::kNan);
    // Not a number in a clip of one frame, and std::max keeps its first argument then.
    const double inner = detail::mean(frame_changes(clip.frames));
    sink.clip(0, detail::mean_change(clip.frames.select(1, 0), last()) / std::max(inner, floor_));
  }

  double floor_;
};

class MotionSession final : public MetricSession {
 public:
  void add(const ClipView& clip, MetricSink& sink) override {
    if (!clip.truth.defined()) return sink.clip(0, detail::kNan);
    const double wanted = detail::mean(frame_changes(clip.truth));
    const double shown = detail::mean(frame_changes(clip.frames));
    // Of one frame, `wanted` is not a number, and so not above zero.
    sink.clip(0, wanted > 0 ? shown / wanted : detail::kNan);
  }
};

}  // namespace

double temporal_flickering(const at::Tensor& frames) {
  const auto [T, C, H, W] = dims<4>(frames, "video [T, 3, H, W]");
  SVI_CHECK(frames.scalar_type() == at::kByte && T >= 2,
            "temporal flickering needs two uint8 frames or more, got ", frames.sizes(), " ",
            frames.scalar_type());
  std::vector<float> changes;
  for (std::int64_t t = 1; t < T; ++t) changes.push_back(byte_change(frames[t - 1], frames[t]));
  const float mean =
      pairwise_sum(changes.data(), changes.size()) / static_cast<float>(changes.size());
  return (255.0 - mean) / 255.0;
}

std::vector<double> frame_changes(const at::Tensor& frames) {
  const auto [C, T, H, W] = dims<4>(frames, "video [3, T, H, W]");
  std::vector<double> changes;
  for (std::int64_t t = 1; t < T; ++t) {
    changes.push_back(detail::mean_change(frames.select(1, t), frames.select(1, t - 1)));
  }
  return changes;
}

std::vector<Quantity> TemporalFlickerMetric::quantities() const {
  return {{.name = "temporal_flicker",
           .unit = "1",
           .meaning = "one minus the mean absolute change from frame to frame"}};
}

std::unique_ptr<MetricSession> TemporalFlickerMetric::open() const {
  return std::make_unique<FlickerSession>();
}

void SeamJumpMetric::Config::describe(OptionVisitor& visit) {
  visit(floor, {.key = "floor",
                .help = "lower limit of the change inside a clip, to which the jump is compared",
                .unit = "of full range",
                .min = 1e-9,
                .max = 1});
}

std::vector<Quantity> SeamJumpMetric::quantities() const {
  return {{.name = "seam_jump",
           .unit = "1",
           .meaning = "change across the seam with the clip before over the mean change inside the "
                      "clip; 1 is seamless",
           .better = Better::lower}};
}

std::unique_ptr<MetricSession> SeamJumpMetric::open() const {
  return std::make_unique<SeamSession>(config_.floor);
}

std::vector<Quantity> MotionMetric::quantities() const {
  return {{.name = "motion",
           .unit = "1",
           .meaning = "mean change from frame to frame over the truth's; 1 is right, 0 is frozen",
           .better = Better::one,
           .needs_truth = true}};
}

std::unique_ptr<MetricSession> MotionMetric::open() const {
  return std::make_unique<MotionSession>();
}

}  // namespace svi
