#include "svi/error/rollout.hpp"

#include <ATen/ATen.h>

namespace svi {

void RolloutError::Config::describe(OptionVisitor& visit, const char* scale_key) {
  visit(every, {.key = "every",
                .help = "training steps between generations of clips",
                .unit = "step",
                .min = 1});
  visit(batch, {.key = "batch",
                .help = "clips per generation; the clips of one slot form one batch",
                .unit = "clip",
                .min = 1});
  visit(first_step, {.key = "first_step",
                     .help = "training step of the first generation",
                     .unit = "step",
                     .min = 0});
  visit(chain_probability, {.key = "chain_probability",
                            .help = "probability that a clip starts from a condition that already "
                                    "carries a banked error",
                            .min = 0,
                            .max = 1});
  visit(max_depth,
        {.key = "max_depth",
         .help = "largest number of carried errors behind an error that is carried on; 0: no limit",
         .unit = "clip",
         .min = 0});
  visit(scale, {.key = scale_key, .help = "factor on every error of a generated clip"});
}

std::vector<BankedError> RolloutError::do_extract(const StepView&) const { return {}; }

std::int64_t RolloutError::do_rollouts_due(std::int64_t step) const {
  const auto since = step - config_.first_step;
  return since >= 0 && since % config_.every == 0 ? config_.batch : 0;
}

std::vector<BankedError> RolloutError::do_extract_rollout(const RolloutView& rollout) const {
  const auto difference =
      (rollout.generated - rollout.truth).to(at::kFloat).detach();  // [B, C, F, h, w]
  std::vector<BankedError> errors;
  for (std::int64_t b = 0; b < difference.size(0); ++b) {
    BankedError error;
    error.residual = difference[b];
    error.data_gain = config_.scale;
    errors.push_back(std::move(error));
  }
  return errors;
}

}  // namespace svi
