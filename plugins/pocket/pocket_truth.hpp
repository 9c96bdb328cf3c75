#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

#include "pocket/pocket_metric.hpp"
#include "svi/config/option.hpp"
#include "svi/metric/metric.hpp"

namespace svi {

/// Measures of a pocket film against its truth, each for one thing that can go wrong, and together
/// for those that any one of them forgives: PocketFitter looks at film and truth alike, so the
/// truth itself gets the perfect value of every one. A clip's value is the mean over its frames or
/// steps; a step is from one frame of the film to the next, across seams too. Undefined without
/// truth and for prompts that are not of the pocket world.
///
/// | quantity | perfect | found out by it |
/// | --- | --- | --- |
/// | `background_psnr` | 100 dB | bands of other shades, blur, noise, stains |
/// | `object_colour` | 0 | a disc of another shade; 1 where there is no disc |
/// | `object_shape` | 1 | a disc that is blurred, mangled or gone |
/// | `path_error` | 0 widths | a disc in the wrong place; 0.5, the farthest on the torus, if none |
/// | `speed_ratio` | 1 | frozen 0, reversed -1; jumps count as no motion |
/// | `dynamic_degree` | 1 | frozen 0, flicker above 1, by pixels alone |
class PocketTruthMetric final : public Metric {
 public:
  struct Config {
    PocketFitter::Config fit;  // texture, jitter, ceiling
    double presence = 0.5;
    double jump = 1.75;

    void describe(OptionVisitor& visit);
  };

  explicit PocketTruthMetric(Config config) : config_(config) {}
  std::vector<Quantity> quantities() const override;
  std::unique_ptr<MetricSession> open() const override;

 private:
  Config config_;
};

}  // namespace svi
