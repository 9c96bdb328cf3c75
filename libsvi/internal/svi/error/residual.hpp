#pragma once

#include <vector>

#include "svi/config/option.hpp"
#include "svi/error/error_source.hpp"

namespace svi {

/// The plain velocity residual D = v_hat - v*, unscaled by time: -D at the data end, +D at the
/// noise end. The baseline that tells how much of the method is the time-dependent gain of
/// `one_step`.
class SVI_EXPORT ResidualError final : public ErrorSource {
 public:
  struct Config {
    double scale = 1;

    void describe(OptionVisitor& visit);
  };

  explicit ResidualError(Config config) : config_(config) {}

 private:
  std::vector<BankedError> do_extract(const StepView& step) const override;

  Config config_;
};

/// Learns nothing: the bank stays empty, so that no injection ever finds an error.
class SVI_EXPORT NoError final : public ErrorSource {
 public:
  struct Config {
    void describe(OptionVisitor&) {}
  };

  explicit NoError(Config) {}  // it has no options

 private:
  std::vector<BankedError> do_extract(const StepView& step) const override;
};

}  // namespace svi
