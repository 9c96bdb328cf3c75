#include "svi/error/builtins.hpp"

#include "svi/error/one_step.hpp"
#include "svi/error/residual.hpp"
#include "svi/error/rollout.hpp"

namespace svi {

void register_error(Registrar& registrar) {
  registrar.add<ErrorSource, OneStepError>(
      "one_step", "error of the one-step estimate at the data and at the noise end");
  registrar.add<ErrorSource, RolloutError>(
      "rollout",
      "on-policy: condition latents of freshly generated last frames minus the true ones");
  registrar.add<ErrorSource, ResidualError>("residual",
                                            "plain velocity residual, unscaled by time");
  registrar.add<ErrorSource, NoError>("none", "no error is ever banked");
}

}  // namespace svi
