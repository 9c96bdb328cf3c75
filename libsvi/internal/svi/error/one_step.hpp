#pragma once

#include <string>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/error/error_source.hpp"

namespace svi {

/// What the one-step estimate is compared with.
enum class ErrorDefinition {
  reference,  // where v* leads from the same noisy latent
  clean,      // the tensors before injection
};
SVI_EXPORT std::vector<std::string> enum_names(ErrorDefinition);

/// Which mean an error loses before it is kept.
enum class MeanRemoval { none, channel };
SVI_EXPORT std::vector<std::string> enum_names(MeanRemoval);

/// Error of the one-step estimate at the data end and at the noise end (Li et al. 2025,
/// arXiv 2510.09212).
///
/// With D = v_hat - v*, one Euler jump from the noisy latent gives
///   x_hat - x_ref = -sigma D,   n_hat - n_ref = (1 - sigma) D          (definition = reference)
///   x_hat - x     = -sigma D + (1 - sigma) E_x
///   n_hat - n     = (1 - sigma) D + (1 - sigma) E_x + E_n               (definition = clean)
/// E_x and E_n being the errors injected into this very sample. So one tensor D with two gains is
/// enough, plus, for `clean` and only where something was injected, the offsets; both ends share
/// one offset tensor when E_n = 0.
class SVI_EXPORT OneStepError final : public ErrorSource {
 public:
  struct Config {
    ErrorDefinition definition = ErrorDefinition::reference;
    double scale = 1;
    MeanRemoval remove_mean = MeanRemoval::none;

    void describe(OptionVisitor& visit);
  };

  explicit OneStepError(Config config) : config_(config) {}

 private:
  std::vector<BankedError> do_extract(const StepView& step) const override;
  std::int64_t do_most_offsets() const override {
    return config_.definition == ErrorDefinition::clean ? 2 : 0;
  }

  Config config_;
};

}  // namespace svi
