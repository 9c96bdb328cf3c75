#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/sampler/sampler.hpp"

namespace svi {

/// Which program's flow times UniPC steps through.
enum class UniPcTable { official, diffusers };

SVI_EXPORT std::vector<std::string> enum_names(UniPcTable);

/// UniPC for flow matching (Zhao et al. 2023, arXiv 2302.04867): predictor and corrector of order
/// 2, B(h) = e^h - 1, data prediction, last step of order 1; fp32 latents, coefficients in fp64.
/// Like Wan's own sampler: one evaluation of the denoiser a step.
///
/// Tables differ, though all shift u by sigma = s u / (1 + (s - 1) u). Wan's own program
/// (`official`) takes K even steps of u from 0.999 towards 0, diffusers from 1 towards 0.001 with
/// sigma at most 1 - 1e-6; both give the model floor(1000 sigma). The SVI reference's Euler table
/// goes from 1 towards 0 and gives 1000 sigma itself. The solver works in log((1 - sigma) / sigma),
/// so it cannot begin at sigma = 1.
/// Wan ran 480p at shift 3 and 720p at shift 5; SVI was trained at 5.
class SVI_EXPORT UniPcSampler final : public Sampler {
 public:
  struct Config {
    std::int64_t steps = 50;
    double shift = 5;
    UniPcTable table = UniPcTable::official;

    void describe(OptionVisitor& visit) {
      visit(steps, {.key = "steps", .help = "UniPC steps per clip", .min = 1, .max = 1000});
      visit(shift, {.key = "shift",
                    .help = "time shift s: sigma = s u / (1 + (s - 1) u)",
                    .min = 1e-3,
                    .max = 100});
      visit(table, {.key = "table", .help = "flow times of Wan's own program, or of diffusers"});
    }
  };

  explicit UniPcSampler(Config config);

  const std::vector<float>& sigmas() const override { return sigmas_; }
  /// What the model receives in each step: whole numbers.
  const std::vector<double>& timesteps() const { return timesteps_; }

 private:
  at::Tensor do_sample(const Denoiser& denoiser, const at::Tensor& noise,
                       const OnStep& on_step) const override;
  Config config_;
  std::vector<float> sigmas_;
  std::vector<double> timesteps_;
};

}  // namespace svi
