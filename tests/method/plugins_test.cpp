// The shipped variants follow the reference's settings (Li et al. 2025: Shot, Film, and Wan chained
// as it is).

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

TEST(SviShot, AnchorsEveryFrameAndKeepsItsFirstPrompt) {
  const auto shot = method("svi_shot");
  const auto plan = shot->chain()->plan(7);

  EXPECT_EQ(plan.motion_frames, 1);
  EXPECT_EQ(plan.condition.anchor_copies, -1);
  EXPECT_EQ(shot->prompt_of(7, 10), 0);
  EXPECT_FALSE(plan.condition.mask_all_motion);
}

TEST(SviFilm, CarriesFiveFramesAndStreamsItsPrompts) {
  const auto film = method("svi_film");

  EXPECT_EQ(film->chain()->plan(3).motion_frames, 5);
  EXPECT_EQ(film->chain()->plan(3).condition.anchor_copies, 0);
  EXPECT_EQ(film->prompt_of(3, 10), 3);
  EXPECT_EQ(film->prompt_of(30, 10), 9);
  EXPECT_EQ(film->training().motion_probability, 0.9);
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
