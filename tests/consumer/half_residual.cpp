#include <ATen/core/Tensor.h>

#include <svi/error/error_source.hpp>
#include <svi/plugin/plugin.hpp>
#include <vector>

namespace {

/// A share of the velocity residual, whatever the flow time.
class HalfResidual final : public svi::ErrorSource {
 public:
  struct Config {
    double share = 0.5;

    void describe(svi::OptionVisitor& visit) {
      visit(share, {.key = "share", .help = "factor on the residual", .min = 0, .max = 1});
    }
  };

  explicit HalfResidual(Config config) : config_(config) {}

 private:
  std::vector<svi::BankedError> do_extract(const svi::StepView& step) const override {
    std::vector<svi::BankedError> errors;
    for (std::int64_t b = 0; b < step.predicted.size(0); ++b) {
      svi::BankedError error;
      error.residual = step.predicted[b].sub(step.target[b]);  // [C, F, h, w]
      error.sigma = step.sigma[b].item<double>();
      error.data_gain = -config_.share;
      error.noise_gain = config_.share;
      errors.push_back(error);
    }
    return errors;
  }

  Config config_;
};

}  // namespace

SVI_PLUGIN("half_residual", "1.0.0", registrar) {
  registrar.add<svi::ErrorSource, HalfResidual>("half", "a share of the velocity residual");
}
