#include "svi/error/builtins.hpp"

#include "svi/error/gaussian.hpp"
#include "svi/error/mixed.hpp"
#include "svi/error/one_step.hpp"
#include "svi/error/recorded.hpp"
#include "svi/error/residual.hpp"
#include "svi/error/rollout.hpp"
#include "svi/error/shuffled.hpp"

namespace svi {

void register_error(Registrar& registrar) {
  registrar.add<ErrorSource, OneStepError>(
      "one_step", "error of the one-step estimate at the data and at the noise end");
  registrar.add<ErrorSource, RolloutError>(
      "rollout",
      "on-policy: condition latents of freshly generated last frames minus the true ones");
  registrar.add<ErrorSource, MixedError>("mixed", "those of one_step and of rollout, in one bank");
  registrar.add<ErrorSource, ResidualError>("residual",
                                            "plain velocity residual, unscaled by time");
  registrar.add<ErrorSource, GaussianError>(
      "gaussian", "control: white Gaussian errors of the power that those of one_step have");
  registrar.add<ErrorSource, FixedGaussianError>(
      "gaussian_fixed", "control: fresh white noise of one strength, whatever the model does");
  registrar.add<ErrorSource, ShuffledError>(
      "shuffled", "control: errors of one_step shuffled in space and between grids");
  registrar.add<ErrorSource, RecordedError>("recorded",
                                            "control: the errors that another run has banked");
  registrar.add<ErrorSource, NoError>("none", "no error is ever banked");
}

}  // namespace svi
