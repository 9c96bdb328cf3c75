#pragma once

#include <cstdint>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/error/error_source.hpp"

namespace svi {

/// On-policy errors: what the model's own clips do to the condition of the next one.
///
/// Every `every` steps the trainer generates `batch` clips; the error is the condition latent of
/// the generated last frames minus that of the true ones. It exists at the data end only and is
/// filed under sigma = 0, so it is meant for the image target with scope all_bins. With
/// `chain_probability` a clip starts from a condition that already carries such an error, so that
/// errors of several clips in a row accumulate in the bank. An error made without one has depth 0,
/// one made from an error of depth k has depth k + 1; errors deeper than `max_depth` are in the
/// bank, but are not carried on.
class SVI_EXPORT RolloutError final : public ErrorSource {
 public:
  struct Config {
    std::int64_t every = 50;
    std::int64_t batch = 4;
    std::int64_t first_step = 0;
    double chain_probability = 0.5;
    std::int64_t max_depth = 0;
    double scale = 1;

    /// `scale_key` names the factor where another source's stands beside it.
    void describe(OptionVisitor& visit, const char* scale_key = "scale");
  };

  explicit RolloutError(Config config) : config_(config) {}

 private:
  std::vector<BankedError> do_extract(const StepView& step) const override;
  std::int64_t do_rollouts_due(std::int64_t step) const override;
  double do_rollout_chain_probability() const override { return config_.chain_probability; }
  std::int64_t do_rollout_max_depth() const override { return config_.max_depth; }
  std::vector<BankedError> do_extract_rollout(const RolloutView& rollout) const override;

  Config config_;
};

}  // namespace svi
