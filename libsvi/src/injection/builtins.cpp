#include "svi/injection/builtins.hpp"

#include "svi/injection/bernoulli.hpp"
#include "svi/injection/scheduled.hpp"

namespace svi {

void register_injection(Registrar& registrar) {
  registrar.add<InjectionPolicy, BernoulliInjection>(
      "bernoulli",
      "independent probabilities for noise, latent and image, and one probability to keep a sample "
      "clean");
  registrar.add<InjectionPolicy, ScheduledInjection>(
      "scheduled", "bernoulli with probabilities and strengths that ramp over training");
}

}  // namespace svi
