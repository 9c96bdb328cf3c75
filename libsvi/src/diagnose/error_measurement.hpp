#pragma once

// What error_map measures of one arm; private to diagnose/.

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <vector>

#include "held_out_clips.hpp"
#include "svi/diagnose/error_map.hpp"

namespace svi {

/// Reports that so many clips more are done.
using Advance = std::function<void(std::int64_t clips)>;

/// One-step errors, one row per flow time; all fp64 on the CPU.
struct OneStepErrors {
  at::Tensor by_frame;    // [S, F]     RMS over scenes, channels and place, latent std
  at::Tensor by_place;    // [S, h, w]  RMS over scenes, channels and frames, latent std
  at::Tensor mean_error;  // [S]        RMS of the mean over scenes, latent std
  at::Tensor by_pixel;    // [S, H, W]  decoded: RMS over scenes, channels and frames, full range
  at::Tensor spectrum;    // [S, K]     decoded: power by frequency, full range squared
};
OneStepErrors one_step_errors(const ErrorMap::Config& config, const DiagnosticView& view,
                              const HeldOutClips& clips, std::uint64_t seed,
                              const Advance& advance);

/// Accumulated errors, one row per measured clip; all fp64 on the CPU.
struct DriftErrors {
  at::Tensor condition;  // [D]        RMS error of the next clip's condition, latent std
  at::Tensor by_pixel;   // [D, H, W]  RMS over scenes, channels and frames, full range
  at::Tensor spectrum;   // [D, K]     power by frequency, full range squared
};
DriftErrors drift_errors(const ErrorMap::Config& config, const DiagnosticView& view,
                         const std::vector<Scene>& scenes, const Advance& advance);

}  // namespace svi
