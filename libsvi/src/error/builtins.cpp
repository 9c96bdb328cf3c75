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
      "one_step", "error of the one-step estimate, at the data end and at the noise end");
  registrar.add<ErrorSource, RolloutError>("rollout",
                                           "on-policy: condition latents of freshly generated last "
                                           "frames minus those of the true frames");
  registrar.add<ErrorSource, MixedError>("mixed", "errors of one_step and of rollout in one bank");
  registrar.add<ErrorSource, ResidualError>("residual",
                                            "plain velocity residual, not scaled by flow time");
  registrar.add<ErrorSource, GaussianError>(
      "gaussian", "control: white Gaussian errors with the power of one_step errors");
  registrar.add<ErrorSource, FixedGaussianError>(
      "gaussian_fixed", "control: fresh white noise of one strength, independent of the model");
  registrar.add<ErrorSource, ShuffledError>(
      "shuffled", "control: errors of one_step shuffled in space and between grids");
  registrar.add<ErrorSource, RecordedError>("recorded",
                                            "control: errors from the bank of another run");
  registrar.add<ErrorSource, NoError>("none", "stores no errors");
}

}  // namespace svi
