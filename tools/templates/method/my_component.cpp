#include <svi/method/chain.hpp>
#include <svi/plugin/plugin.hpp>

namespace {

/// A chain of clips in which every n-th clip sees the user's image to its end.
class MyComponent final : public svi::ChainMethod {
 public:
  struct Config : svi::ChainOptions {
    std::int64_t every = 4;

    void describe(svi::OptionVisitor& visit) {
      visit(every, {.key = "every",
                    .help = "every so many clips one is padded with the user's image to its end",
                    .unit = "clips",
                    .min = 1,
                    .max = 1e6});
      ChainOptions::describe(visit);
    }
  };

  explicit MyComponent(Config config) : config_(config) {}

  svi::TrainingPlan training() const override { return config_.training(); }

 private:
  svi::ClipPlan do_plan(std::int64_t clip) const override {
    auto plan = config_.plan();
    if (clip > 0 && clip % config_.every == 0) plan.condition.anchor_copies = -1;
    return plan;
  }
  std::int64_t do_prompt_of(std::int64_t clip, std::int64_t count) const override {
    return config_.prompt_of(clip, count);
  }

  Config config_;
};

}  // namespace

SVI_PLUGIN("my_component", "0.1.0", registrar) {
  registrar.add<svi::Method, MyComponent>("my_component",
                                          "a chain that sees the user's image again and again");
}
