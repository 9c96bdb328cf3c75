#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "svi/experiment/builtins.hpp"
#include "svi/experiment/inheritance.hpp"
#include "svi/experiment/plan.hpp"
#include "svi/method/chain.hpp"
#include "svi/tensor/time_bins.hpp"

namespace svi {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;

std::optional<std::string> text_of_file(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

struct Grey {
  static void set(ChainOptions&) {}
};
struct Anchored {
  static void set(ChainOptions& options) { options.anchor_copies = -1; }
};

/// An experiment that comes with svi, by its path there, its arms completed; methods stand in for
/// those of plugins.
Plan recipe(const std::string& name) {
  auto document = read_with_bases(std::string(SVI_SOURCE_DIR) + "/" + name, text_of_file);
  document.set("experiment", "plugins", "", "test");
  if (document.get("data", "path"))  // a user's own clips
    document.set("data", "path", std::string(SVI_SOURCE_DIR) + "/tests/data/golden", "test");
  Registry registry;
  register_builtins(registry);
  Registrar registrar(registry, "test");
  registrar.add<Method, ChainOf<Grey>>("naive_chain", "base chaining");
  registrar.add<Method, ChainOf<Anchored>>("svi_shot", "anchor padding");
  return Plan::make(document, registry);
}

double number(const Arm& arm, const char* section, const char* key) {
  return std::stod(arm.document.get(section, key).value());
}

/// Where one-step errors shared the bin of sigma = 0, image errors would no longer be clips'
/// errors.
TEST(Recipes, MixedErrorsKeepClipsErrorsInABinOfTheirOwn) {
  int mixed = 0;
  for (const auto* name : {"experiments/ablation_bank.ini", "experiments/ablation_eimg.ini",
                           "experiments/published.ini"}) {
    for (const auto& arm : recipe(name).arms) {
      if (arm.document.get("error_source", "type") != "mixed") continue;
      ++mixed;
      const TimeBins bins(static_cast<std::int64_t>(number(arm, "memory", "bins")),
                          number(arm, "memory", "shift"));
      const auto floor = number(arm, "error_source", "sigma_floor");
      const auto where = std::string(name) + ", arm " + arm.name;
      EXPECT_LT(bins.bin(floor), bins.bin(0)) << where;
      // The bin of clips' errors is the same, so that other bins are all that differs.
      EXPECT_EQ(bins.bin(0.13), bins.bin(0)) << where;
      EXPECT_EQ(bins.bin(0.134), bins.bin(0) - 1) << where;
    }
  }
  EXPECT_GT(mixed, 10);
}

TEST(Recipes, BaseOfSviShotIsTheModelAsItWasTrained) {
  const auto plan = recipe("plugins/svi_shot/svi_shot.ini");

  ASSERT_EQ(plan.arms.size(), 2u);
  EXPECT_EQ(plan.arms[0].document.get("method", "anchor_copies"), "0");
  EXPECT_EQ(plan.arms[1].document.get("method", "anchor_copies"), "-1");
  for (const auto& arm : plan.arms) {
    EXPECT_EQ(arm.document.get("method", "motion_frames"), "1") << arm.name;
    EXPECT_THAT(arm.document.get("rollout", "negative_prompt").value(), HasSubstr("过曝"))
        << arm.name;
    EXPECT_EQ(arm.document.get("guidance", "type"), "cfg") << arm.name;
  }
}

}  // namespace
}  // namespace svi
