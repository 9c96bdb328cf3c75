#pragma once

#include <vector>

#include "svi/config/option.hpp"
#include "svi/error/error_source.hpp"
#include "svi/error/one_step.hpp"
#include "svi/error/rollout.hpp"

namespace svi {

/// One-step errors of every training sample and on-policy errors of generated clips, in one bank.
///
/// The first are what a sampler meets inside a clip, the second what a chain meets between clips;
/// the video latent wants those, the condition image these. Errors of clips are filed under sigma =
/// 0, so `[injection] image_scope = sigma_range` with `image_sigma_high = 0` keeps the two apart.
/// One-step errors made below `sigma_floor` are filed there: else they would share the cleanest bin
/// with the clips' errors, and water these down, being next to nothing (-sigma D).
class SVI_EXPORT MixedError final : public ErrorSource {
 public:
  struct Config {
    OneStepError::Config one_step = {};  // the options of one_step
    RolloutError::Config rollout = {};   // the options of rollout
    double sigma_floor = 0.14;

    void describe(OptionVisitor& visit) {
      one_step.describe(visit);
      rollout.describe(visit, "rollout_scale");
      visit(sigma_floor, {.key = "sigma_floor",
                          .help = "one-step errors from flow times below this value are stored at "
                                  "this value; set it slightly above the cleanest bin of [memory], "
                                  "so that only errors of clips use that bin",
                          .unit = "sigma",
                          .min = 0,
                          .max = 1});
    }
  };

  explicit MixedError(Config config)
      : one_step_(config.one_step), rollout_(config.rollout), sigma_floor_(config.sigma_floor) {}

 private:
  std::vector<BankedError> do_extract(const StepView& step) const override;
  std::int64_t do_most_offsets() const override { return one_step_.most_offsets(); }
  std::int64_t do_rollouts_due(std::int64_t step) const override {
    return rollout_.rollouts_due(step);
  }
  double do_rollout_chain_probability() const override {
    return rollout_.rollout_chain_probability();
  }
  std::int64_t do_rollout_max_depth() const override { return rollout_.rollout_max_depth(); }
  std::vector<BankedError> do_extract_rollout(const RolloutView& view) const override {
    return rollout_.extract(view);
  }

  OneStepError one_step_;
  RolloutError rollout_;
  double sigma_floor_;
};

}  // namespace svi
