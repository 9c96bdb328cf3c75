// The baseline is Wan chained as it is. The methods of Li et al. 2025 have tests beside them.

#include <gtest/gtest.h>

#include "svi/core/check.hpp"
#include "svi/method/chain.hpp"
#include "svi/plugin/loader.hpp"

namespace svi {
namespace {

std::unique_ptr<Method> method(const std::string& name, const std::string& options = "") {
  Registry registry;
  load_plugin(find_plugin(name), registry);
  return registry.make<Method>(Document::parse("[method]\n" + options, "x.ini"), name);
}

TEST(NaiveChain, ConditionsOnTheLastFrameAlone) {
  const auto chain = method("naive_chain");
  const auto plan = chain->chain()->plan(2);

  EXPECT_EQ(plan.motion_frames, 1);
  EXPECT_EQ(plan.condition.anchor_copies, 0);
}

TEST(Chains, TakeOptionsAndRefuseWrongOnes) {
  EXPECT_EQ(method("svi_film", "prompt_repeat = 2\n")->prompt_of(5, 10), 2);
  EXPECT_THROW(method("svi_shot", "motion_frames = 0\n"), ConfigError);
  EXPECT_THROW(method("svi_shot", "anchor = 3\n"), ConfigError);
}

}  // namespace
}  // namespace svi
