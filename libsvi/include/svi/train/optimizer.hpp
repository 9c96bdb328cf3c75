#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/core/export.hpp"
#include "svi/tensor/named_tensors.hpp"

namespace svi {

/// How the learning rate goes after its warm-up.
enum class LearningRateSchedule { constant, cosine };
SVI_EXPORT std::vector<std::string> enum_names(LearningRateSchedule);

/// Options of AdamW; defaults are those of Li et al. 2025 (arXiv 2510.09212).
struct SVI_EXPORT OptimizerConfig {
  double learning_rate = 1e-4;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double weight_decay = 0.01;
  double clip_norm = 1;
  LearningRateSchedule schedule = LearningRateSchedule::constant;
  std::int64_t warmup_steps = 0;
  double final_fraction = 0;

  void describe(OptionVisitor& visit);
};

/// What one update did.
struct UpdateReport {
  double gradient_norm = 0;  // before clipping
  double learning_rate = 0;  // of this update
};

/// AdamW (Loshchilov and Hutter 2019) on one flat fp32 buffer, with a limit on the gradient's norm.
///
/// The same gradient gives the same bits on every rank, so ranks need not exchange parameters.
class SVI_EXPORT Optimizer {
 public:
  /// `parameters` [P] fp32, contiguous; kept and changed in place. `total_steps` is where the
  /// cosine ends.
  Optimizer(OptimizerConfig config, at::Tensor parameters, std::int64_t total_steps);

  /// One update with `gradient` [P] fp32, which is scaled in place where it is clipped. Throws
  /// Error and changes nothing if its norm is not finite.
  UpdateReport update(at::Tensor& gradient);
  /// The rate of update number `step`, from 0.
  double learning_rate(std::int64_t step) const;

  NamedTensors state() const;  // moments and counter
  /// Throws IoError if a tensor is missing or has another size.
  void load(const NamedTensors& state);

 private:
  OptimizerConfig config_;
  std::int64_t total_steps_;
  std::int64_t steps_ = 0;
  at::Tensor parameters_;     // [P]
  at::Tensor first_moment_;   // [P]
  at::Tensor second_moment_;  // [P]
};

}  // namespace svi
