#include <ATen/ATen.h>

#include <svi/error/error_source.hpp>
#include <svi/plugin/plugin.hpp>
#include <vector>

namespace {

/// The error of the one-step estimate, shrunk so that one bad clip cannot dominate the bank.
class ClippedResidual final : public svi::ErrorSource {
 public:
  struct Config {
    double max_rms = 3.0;

    void describe(svi::OptionVisitor& visit) {
      visit(max_rms, {.key = "max_rms",
                      .help = "largest RMS of an error; larger errors shrink to it",
                      .unit = "latent std",
                      .min = 1e-6});
    }
  };

  explicit ClippedResidual(Config config) : config_(config) {}

 private:
  std::vector<svi::BankedError> do_extract(const svi::StepView& step) const override {
    auto residual = step.predicted - step.target;                        // [B, C, F, h, w]
    const auto rms = residual.square().mean({1, 2, 3, 4}, true).sqrt();  // [B, 1, 1, 1, 1]
    residual = residual * (config_.max_rms / rms).clamp_max(1.0);

    std::vector<svi::BankedError> errors;
    for (std::int64_t b = 0; b < residual.size(0); ++b) {
      svi::BankedError error;
      error.residual = residual[b];
      error.sigma = step.sigma[b].item<double>();
      error.data_gain = -error.sigma;      // x_hat - x_ref = -sigma D
      error.noise_gain = 1 - error.sigma;  // n_hat - n_ref = (1 - sigma) D
      errors.push_back(error);
    }
    return errors;
  }

  Config config_;
};

}  // namespace

SVI_PLUGIN("clipped_residual", "0.1.0", registrar) {
  registrar.add<svi::ErrorSource, ClippedResidual>("clipped_residual",
                                                   "one-step error with a limited RMS");
}
