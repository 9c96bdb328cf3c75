#pragma once

#include <string>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/error/error_source.hpp"
#include "svi/error/one_step.hpp"

namespace svi {

/// Over what the power of a Gaussian error is that of the error it stands for.
enum class GaussianPower { channel, overall };
SVI_EXPORT std::vector<std::string> enum_names(GaussianPower);

/// Control: white Gaussian errors of equal power. What would be left of `one_step` if the structure
/// of its errors did not matter.
///
/// Wherever `one_step` with the same options banks a residual D, this banks white Gaussian noise
/// whose RMS, channel by channel or overall, is exactly that of D, under the same sigma with the
/// same gains. Offsets (definition = clean) stay: they are errors recalled from this very bank, so
/// white already. Draws are keyed by seed, sample and step.
class SVI_EXPORT GaussianError final : public ErrorSource {
 public:
  struct Config {
    OneStepError::Config base = {};  // the options of one_step
    GaussianPower power = GaussianPower::channel;

    void describe(OptionVisitor& visit);
  };

  explicit GaussianError(Config config) : config_(config), base_(config.base) {}

 private:
  std::vector<BankedError> do_extract(const StepView& step) const override;
  std::int64_t do_most_offsets() const override { return base_.most_offsets(); }

  Config config_;
  OneStepError base_;
};

/// Control: condition noise augmentation, as of cascaded diffusion (Ho et al. 2022,
/// arXiv 2106.15282) and image-to-video models that noise their condition.
///
/// Fresh white noise of one RMS for each sample, whatever the model predicts, at both ends with
/// gain 1. The strength is drawn by the injection policy (image_scale = log_uniform, ...), which
/// should hit the image alone. The bank is then nothing but a stock of noise, empty at step 0.
class SVI_EXPORT FixedGaussianError final : public ErrorSource {
 public:
  struct Config {
    double rms = 1;

    void describe(OptionVisitor& visit);
  };

  explicit FixedGaussianError(Config config) : config_(config) {}

 private:
  std::vector<BankedError> do_extract(const StepView& step) const override;

  Config config_;
};

}  // namespace svi
