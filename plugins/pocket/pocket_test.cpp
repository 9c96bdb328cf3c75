#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "pocket/word_encoder.hpp"
#include "svi/data/clip_source.hpp"
#include "svi/experiment/builtins.hpp"
#include "svi/io/data_folder.hpp"
#include "svi/metric/metric.hpp"
#include "svi/plugin/loader.hpp"
#include "svi/pretrained/folder_settings.hpp"
#include "svi/pretrained/prompt_encoder.hpp"

namespace svi {
namespace {

class PocketPluginTest : public ::testing::Test {
 protected:
  PocketPluginTest() { register_builtins(registry_); }

  Registry registry_;
};

TEST_F(PocketPluginTest, IsThereWithoutBeingNamed) {
  const auto folder = default_folder_config();

  EXPECT_EQ(folder.plugin, "pocket");
  EXPECT_EQ(registry_.make<ClipSource>(Document{}, folder.world)->scene_count(), 1'000'000);
  EXPECT_EQ(registry_.find("data", "pocket_world").origin, "pocket 0.1.0");
  EXPECT_EQ(registry_.find("metric", "psnr").origin, "built-in");
}

TEST_F(PocketPluginTest, MayBeNamedAllTheSame) {
  const auto count = registry_.kinds().at("metric").size();

  EXPECT_EQ(load_plugin(PLUGIN_FILE, registry_).name, "pocket");
  EXPECT_EQ(load_default_plugin(registry_)->name, "pocket");
  EXPECT_EQ(registry_.kinds().at("metric").size(), count);
}

TEST_F(PocketPluginTest, EncodesTheWordsOfItsFolder) {
  const std::string prompt = "a red disc moving left over three bands";
  const auto files = find_model(kDefaultFolder);
  PromptEncoder encoder(files, {.length = 24, .dim = 64}, registry_);
  const auto expected = PocketTextEncoder({}).encode({prompt, ""});

  EXPECT_TRUE(at::equal(encoder.encode({prompt, ""}), expected));
  EXPECT_FALSE(encoder.needs_network({prompt}));
}

TEST_F(PocketPluginTest, GivesEveryQuantityANameOfItsOwn) {
  std::set<std::string> names;
  for (const auto& [name, registration] : registry_.kinds().at("metric")) {
    const auto metric = registry_.make<Metric>(Document{}, name);
    for (const auto& quantity : metric->quantities()) {
      EXPECT_TRUE(names.insert(quantity.name).second) << quantity.name;
      EXPECT_FALSE(quantity.meaning.empty()) << quantity.name;
    }
  }
  EXPECT_EQ(names.count("pocket_quality"), 1u);
  EXPECT_EQ(names.count("critic_quality"), 1u);
}

TEST_F(PocketPluginTest, TellsWhichCriticARunUses) {
  const auto files = registry_.make<Metric>(Document{}, "critic")->needs();

  ASSERT_EQ(files.size(), 1u);
  EXPECT_EQ(files[0].given, (weights_folder(kDefaultFolder) / "critic.safetensors").string());
  EXPECT_TRUE(registry_.make<Metric>(Document{}, "psnr")->needs().empty());
}

}  // namespace
}  // namespace svi
