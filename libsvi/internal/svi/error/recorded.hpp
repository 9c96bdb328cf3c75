#pragma once

#include <string>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/error/error_source.hpp"

namespace svi {

/// Control: the errors of another model, out of a file that a run with [recycling] keep_bank = on
/// wrote. All are banked before the first step, and nothing is learnt from the model in training.
///
/// They keep flow time, gains, step and order, so a bank with another number of bins takes them
/// too; what does not fit its capacity makes room as always. The file is opened when training
/// begins, not when the experiment is checked.
class SVI_EXPORT RecordedError final : public ErrorSource {
 public:
  struct Config {
    std::string path = {};
    double scale = 1;

    void describe(OptionVisitor& visit);
    std::string problem() const;
  };

  explicit RecordedError(Config config) : config_(std::move(config)) {}

 private:
  std::vector<BankedError> do_extract(const StepView& step) const override;
  std::vector<BankedError> do_preload(at::IntArrayRef latent) const override;
  std::vector<InputFile> do_inputs() const override;

  Config config_;
};

}  // namespace svi
