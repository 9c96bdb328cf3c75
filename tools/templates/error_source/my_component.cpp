#include <ATen/core/Tensor.h>

#include <svi/error/error_source.hpp>
#include <svi/plugin/plugin.hpp>
#include <vector>

namespace {

/// The error of the one-step estimate, times a factor.
class MyComponent final : public svi::ErrorSource {
 public:
  struct Config {
    double scale = 1;

    void describe(svi::OptionVisitor& visit) {
      visit(scale, {.key = "scale", .help = "factor on every error", .min = 0});
    }
  };

  explicit MyComponent(Config config) : config_(config) {}

 private:
  std::vector<svi::BankedError> do_extract(const svi::StepView& step) const override {
    const auto residual = step.predicted.sub(step.target);  // [B, C, F, h, w]
    std::vector<svi::BankedError> errors;
    for (std::int64_t b = 0; b < residual.size(0); ++b) {
      svi::BankedError error;
      error.residual = residual[b];
      error.sigma = step.sigma[b].item<double>();
      error.data_gain = -error.sigma * config_.scale;        // x_hat - x_ref = -sigma D
      error.noise_gain = (1 - error.sigma) * config_.scale;  // n_hat - n_ref = (1 - sigma) D
      errors.push_back(error);
    }
    return errors;
  }

  Config config_;
};

}  // namespace

SVI_PLUGIN("my_component", "0.1.0", registrar) {
  registrar.add<svi::ErrorSource, MyComponent>("my_component", "one-step error times a factor");
}
