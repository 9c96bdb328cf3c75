#include <svi/core/random.hpp>
#include <svi/injection/injection_policy.hpp>
#include <svi/plugin/plugin.hpp>

namespace {

/// Hits all of a sample or nothing of it: noise, latent and condition together.
class MyComponent final : public svi::InjectionPolicy {
 public:
  struct Config {
    double probability = 0.5;

    void describe(svi::OptionVisitor& visit) {
      visit(probability,
            {.key = "probability", .help = "probability that a sample is hit", .min = 0, .max = 1});
    }
  };

  explicit MyComponent(Config config) : config_(config) {}

 private:
  svi::Injection do_draw(const svi::SampleView& sample) const override {
    const svi::RandomKey key{sample.seed, svi::Purpose::inject_clean, sample.sample, sample.step};
    svi::Injection injection;
    injection.clean = svi::uniform(key) >= config_.probability;
    injection.noise.hit = injection.latent.hit = injection.image.hit = !injection.clean;
    return injection;
  }

  Config config_;
};

}  // namespace

SVI_PLUGIN("my_component", "0.1.0", registrar) {
  registrar.add<svi::InjectionPolicy, MyComponent>("my_component",
                                                   "hits all of a sample or nothing of it");
}
