#include <svi/core/check.hpp>
#include <svi/guidance/guidance.hpp>
#include <svi/plugin/plugin.hpp>
#include <vector>

namespace {

/// Classifier-free guidance whose scale falls from `scale` at pure noise to 1 at the clean end.
class MyComponent final : public svi::Guidance {
 public:
  struct Config {
    double scale = 5;

    void describe(svi::OptionVisitor& visit) {
      visit(scale, {.key = "scale", .help = "guidance scale at pure noise", .min = 0, .max = 100});
    }
  };

  explicit MyComponent(Config config) : config_(config) {}

 private:
  std::vector<svi::GuidancePass> do_passes(const svi::GuidanceStep& step,
                                           const svi::Condition& positive,
                                           const svi::Condition& negative) const override {
    SVI_CHECK(!negative.empty(), "this guidance needs a negative condition");
    return {{"negative", negative}, {"positive", positive, 1 + (config_.scale - 1) * step.sigma}};
  }

  Config config_;
};

}  // namespace

SVI_PLUGIN("my_component", "0.1.0", registrar) {
  registrar.add<svi::Guidance, MyComponent>("my_component",
                                            "a guidance scale that falls with the flow time");
}
