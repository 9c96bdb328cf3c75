#pragma once

// What loop_gain measures of one arm; private to diagnose/.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include "held_out_clips.hpp"
#include "svi/diagnose/loop_gain.hpp"

namespace svi {

inline constexpr const char* kModelMean = "model_mean";
inline constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

/// What one direction of damage does: one number per scene, NaN or missing where there is none.
struct DamageResponse {
  std::vector<double> gain;
  std::vector<double> total;     // mean square of the response, per mean square of the damage
  std::vector<double> residual;  // the part of it orthogonal to the direction
  double damage;                 // RMS of the strongest damage, full range
};

/// What one direction says of clips without damage.
struct FreshError {
  double unit;          // RMS of the pattern: shares of the full range per unit of coordinate
  double bias, spread;  // over scenes and noises, full range
  double scene_bias;    // of that, what is a scene's own whatever the noise; NaN of one noise
  double noise;         // and what changes with the noise
};

/// One measurement: the arm's clips from true frames at first, from damaged ones when asked.
///
/// Frames that are handed over are [N, m, 3, H, W], fp64 on the CPU, in [0, 1]. Borrows everything.
class LoopMeasurement {
 public:
  LoopMeasurement(const LoopGain::Config& config, const DiagnosticView& view);

  DamageResponse respond(const std::string& direction);
  FreshError fresh(const std::string& direction) const;
  /// RMS deviation of real chains after each clip, fp64 [direction, clip], in units of the
  /// patterns.
  at::Tensor chain_rms();

 private:
  /// The direction's patterns at these frames; undefined where there are none.
  at::Tensor pattern(const std::string& direction, const at::Tensor& frames) const;
  /// The last frames of one clip per scene, from motion frames [N, 3, m, H, W].
  at::Tensor generate(const at::Tensor& motion, std::int64_t draw);
  void measure_mean_error();
  void advance(std::int64_t clips);

  const LoopGain::Config& config_;
  const DiagnosticView& view_;
  std::uint64_t seed_;
  std::int64_t m_;
  Studio studio_;
  ClipChain chain_;
  HeldOutClips clips_;
  at::Tensor start_;               // of the clips
  at::Tensor truth_;               // at their ends; where it is not known, what was generated
  std::vector<at::Tensor> plain_;  // last frames without damage, one per noise
  at::Tensor mean_error_;          // patterns of model_mean, or undefined
  std::int64_t done_ = 0, total_ = 0;
};

}  // namespace svi
