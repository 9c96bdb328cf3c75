// The published recipes (Li et al. 2025, hyper-parameters of the reference's scripts), as the INI
// files and the plugins of the methods give them.

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "svi/experiment/builtins.hpp"
#include "svi/experiment/inheritance.hpp"
#include "svi/experiment/overrides.hpp"
#include "svi/experiment/plan.hpp"
#include "svi/injection/injection_policy.hpp"
#include "svi/method/method.hpp"

namespace svi {
namespace {

std::optional<std::string> recipe_text(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

/// A recipe that comes with a plugin, which it loads; `name` is that of the file.
struct SviRecipe {
  explicit SviRecipe(const std::string& name, const std::string& size = {}) {
    const std::string root = SVI_SOURCE_DIR;
    const std::string plugin = name == "svi_pro" ? "svi_shot" : name;
    auto document = read_with_bases(root + "/plugins/" + plugin + "/" + name + ".ini", recipe_text);
    document.set("data", "path", root + "/data/mixkit", "test");
    if (!size.empty()) document = apply_size(document, size);
    register_builtins(registry);
    plan = Plan::make(document, registry);
  }
  const Arm& arm(const std::string& name) const {
    for (const auto& arm : plan.arms)
      if (arm.name == name) return arm;
    throw std::out_of_range(name);
  }
  std::string value(const std::string& of, const char* section, const char* key) const {
    return arm(of).document.get(section, key).value();
  }

  Registry registry;
  Plan plan;
};

TEST(SviRecipes, AreThoseOfTheReferencesScripts) {
  // motion frames, anchor copies, clean probability, prompts
  const std::map<std::string, std::array<std::string, 4>> published = {
      {"svi_shot", {"1", "-1", "0.2", "first"}},
      {"svi_film", {"5", "0", "0.5", "stream"}},
      {"svi_tom", {"1", "0", "0.2", "stream"}},
  };
  for (const auto& [name, values] : published) {
    const SviRecipe recipe(name);
    const auto is = [&](const char* section, const char* key, const std::string& expected) {
      EXPECT_EQ(std::stod(recipe.value("erft", section, key)), std::stod(expected))
          << name << ": [" << section << "] " << key;
    };
    is("method", "motion_frames", values[0]);
    is("method", "anchor_copies", values[1]);
    is("injection", "clean_probability", values[2]);
    EXPECT_EQ(recipe.value("erft", "method", "prompts"), values[3]) << name;
    is("method", "motion_probability", name == "svi_film" ? "0.9" : "1");
    is("injection", "noise_probability", "0.01");
    is("injection", "image_probability", "0.9");
    is("injection", "latent_probability", "0.9");
    is("injection", "image_frames", "3");
    is("memory", "capacity", "500");
    is("memory", "bins", "50");
    is("lora", "rank", "128");
    is("lora", "alpha", "128");
    is("training", "learning_rate", "1e-4");
    is("clip", "frames", "81");
    is("clip", "height", "480");
    is("clip", "width", "832");
    is("guidance", "scale", "5");
    EXPECT_EQ(recipe.value("erft", "injection", "image_scope"), "all_bins");
    // The base is Wan as it was trained.
    EXPECT_EQ(recipe.value("base", "method", "anchor_copies"), "0") << name;
    EXPECT_EQ(recipe.value("base", "method", "motion_frames"), "1") << name;
  }
}

TEST(SviRecipes, HalfOfFilmsSamplesAreCleanAndTheOthersAreHitAsPublished) {
  const SviRecipe recipe("svi_film");
  const auto policy = recipe.registry.make<InjectionPolicy>(recipe.arm("erft").document, "");
  constexpr std::uint32_t kDraws = 20000;
  std::map<std::string, double> counts;
  for (std::uint32_t i = 0; i < kDraws; ++i) {
    const auto drawn = policy->draw(
        {.seed = 3, .sample = i % 8, .step = i / 8, .total_steps = kDraws / 8, .sigma = 0.5});
    counts["clean"] += drawn.clean;
    counts["image"] += drawn.image.hit;
    counts["latent"] += drawn.latent.hit;
    counts["both"] += drawn.image.hit && drawn.latent.hit;
    counts["noise"] += drawn.noise.hit;
    EXPECT_FALSE(drawn.clean && (drawn.image.hit || drawn.latent.hit || drawn.noise.hit));
    EXPECT_EQ(drawn.image_frames, 3);
  }
  const std::map<std::string, double> published = {
      {"clean", 0.5}, {"image", 0.45}, {"latent", 0.45}, {"both", 0.405}, {"noise", 0.005}};
  for (const auto& [what, p] : published) {
    const double deviation = std::sqrt(p * (1 - p) * kDraws);
    EXPECT_NEAR(counts[what], p * kDraws, 4 * deviation) << what;
  }
}

TEST(SviRecipes, FitTheSmallWorldToo) {
  for (const auto* name : {"svi_shot", "svi_film", "svi_tom", "svi_pro"}) {
    const SviRecipe pocket(name, "pocket");
    EXPECT_EQ(pocket.value("erft", "data", "type"), "pocket_world") << name;
    EXPECT_NE(pocket.plan.experiment.name.find("_pocket"), std::string::npos);
  }
  // Whole latents stand behind the anchor, and the small codec makes one of each frame.
  EXPECT_EQ(SviRecipe("svi_pro", "pocket").value("erft", "method", "motion_frames"), "2");
  EXPECT_EQ(SviRecipe("svi_pro").value("erft", "method", "motion_frames"), "5");
}

}  // namespace
}  // namespace svi
