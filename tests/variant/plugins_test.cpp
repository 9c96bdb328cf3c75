// The shipped variants follow the reference's settings (Li et al. 2025: Shot, Film, and Wan chained
// as it is).

#include <gtest/gtest.h>

#include "svi/core/check.hpp"
#include "svi/plugin/loader.hpp"
#include "svi/variant/variant.hpp"

namespace svi {
namespace {

std::unique_ptr<Variant> variant(const std::string& name, const std::string& options = "") {
  Registry registry;
  load_plugin(find_plugin(name), registry);
  return registry.make<Variant>(Document::parse("[variant]\n" + options, "x.ini"), name);
}

TEST(SviShot, AnchorsEveryFrameAndKeepsItsFirstPrompt) {
  const auto plan = variant("svi_shot")->plan(7, 10);

  EXPECT_EQ(plan.motion_frames, 1);
  EXPECT_EQ(plan.padding.anchor_copies, -1);
  EXPECT_EQ(plan.prompt_index, 0);
  EXPECT_FALSE(plan.mask_all_motion);
}

TEST(SviFilm, CarriesFiveFramesAndStreamsItsPrompts) {
  const auto film = variant("svi_film");

  EXPECT_EQ(film->plan(3, 10).motion_frames, 5);
  EXPECT_EQ(film->plan(3, 10).padding.anchor_copies, 0);
  EXPECT_EQ(film->plan(3, 10).prompt_index, 3);
  EXPECT_EQ(film->plan(30, 10).prompt_index, 9);
  EXPECT_EQ(film->training().motion_probability, 0.9);
}

TEST(NaiveChain, ConditionsOnTheLastFrameAlone) {
  const auto plan = variant("naive_chain")->plan(2, 3);

  EXPECT_EQ(plan.motion_frames, 1);
  EXPECT_EQ(plan.padding.anchor_copies, 0);
}

TEST(Variants, TakeOptionsAndRefuseWrongOnes) {
  EXPECT_EQ(variant("svi_film", "prompt_repeat = 2\n")->plan(5, 10).prompt_index, 2);
  EXPECT_THROW(variant("svi_shot", "motion_frames = 0\n"), ConfigError);
  EXPECT_THROW(variant("svi_shot", "anchor = 3\n"), ConfigError);
}

}  // namespace
}  // namespace svi
