#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/diagnose/diagnostic.hpp"

namespace svi {

/// Do the errors that recycling injects look like those that accumulate? One-step errors by flow
/// time, time and place, beside the drift of real chains, and the spectra of both.
///
/// One step: a held-out clip x at a random moment, encoded, is mixed with noise at flow time sigma;
/// the error is that of the jump to the data end, -sigma (v̂ - v*) (Li et al. 2025), with the true
/// frames as the condition and without guidance. Drift: films of `clips` clips minus the truth at
/// the frames that each clip hands to the next. The condition error is what those frames change in
/// the next clip's condition, in latents: that is what an injected error stands for, so
/// `size_ratio` says how much too small one-step errors are.
///
/// Everything stays NaN where [data] does not know what held-out scenes truly look like.
class SVI_EXPORT ErrorMap final : public Diagnostic {
 public:
  struct SVI_EXPORT Config {  // The options; docs/options.md lists them.
    std::vector<double> sigmas = {0.1, 0.3, 0.5, 0.7, 0.9, 1.0};
    std::int64_t scenes = 16;
    std::int64_t moments = 100;
    std::int64_t clips = 20;
    std::vector<std::int64_t> at_clips = {0, 1, 4, 9};
    std::int64_t batch = 8;

    void describe(OptionVisitor& visit);
    std::string problem() const;
  };

  /// Clips after which drift is measured: `at_clips` that the film has, and its last one,
  /// ascending.
  static std::vector<std::int64_t> measured_clips(const Config& config);

  explicit ErrorMap(Config config) : config_(std::move(config)) {}

 private:
  DiagnosticReport do_run(const DiagnosticView& view) const override;

  Config config_;
};

}  // namespace svi
