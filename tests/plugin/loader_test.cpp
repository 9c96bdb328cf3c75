#include "svi/plugin/loader.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "svi/core/check.hpp"
#include "svi/method/chain.hpp"

namespace svi {
namespace {

using testing::HasSubstr;

std::string refusal(const std::string& path) {
  Registry registry;
  try {
    load_plugin(path, registry);
  } catch (const PluginError& error) {
    return error.what();
  }
  return "accepted";
}

const std::string kRefused = SVI_BINARY_DIR "/tests/plugins/";

TEST(Loader, LoadsAnInstalledPluginByName) {
  Registry registry;
  const auto plugin = load_plugin(find_plugin("svi_shot"), registry);

  EXPECT_EQ(plugin.name, "svi_shot");
  EXPECT_EQ(plugin.sha256.size(), 64u);
  const auto method = registry.make<Method>(Document{}, "svi_shot");
  EXPECT_EQ(method->chain()->plan(3).condition.anchor_copies, -1);
  EXPECT_EQ(method->prompt_of(3, 5), 0);
}

TEST(Loader, RefusesAnotherAbiBeforeItsCodeRuns) {
  EXPECT_THAT(refusal(kRefused + "refused_abi.so"), HasSubstr("was built for 'svi/0.0 another/1'"));
}

TEST(Loader, RefusesALibraryWithoutDescriptor) {
  EXPECT_THAT(refusal(kRefused + "refused_symbol.so"), HasSubstr("has no descriptor"));
}

TEST(Loader, RefusesAMissingFileAndOneThatIsNoLibrary) {
  const auto text = std::filesystem::temp_directory_path() / "svi_not_a_library.so";
  std::ofstream(text) << "not a library";

  EXPECT_THAT(refusal("/nonexistent.so"), HasSubstr("no such file"));
  EXPECT_THAT(refusal(text.string()), HasSubstr("cannot be opened"));
  std::filesystem::remove(text);
}

TEST(Loader, RegistersAFileOnceAndRefusesAnotherOfTheSameNames) {
  Registry registry, other;
  const auto path = find_plugin("svi_shot");
  const auto copy = std::filesystem::temp_directory_path() / "svi_shot_copy.so";
  const auto first = load_plugin(path, registry);

  EXPECT_EQ(load_plugin(path, registry).sha256, first.sha256);
  EXPECT_EQ(registry.kinds().at("method").size(), 1u);
  load_plugin(path, other);  // open already, and new here
  EXPECT_EQ(other.kinds().at("method").size(), 1u);
  std::filesystem::copy_file(path, copy, std::filesystem::copy_options::overwrite_existing);
  EXPECT_THROW(load_plugin(copy.string(), registry), PluginError);
  std::filesystem::remove(copy);
}

TEST(Loader, SuggestsTheNearestPlugin) {
  try {
    find_plugin("svi_shto");
    FAIL();
  } catch (const PluginError& error) {
    EXPECT_THAT(error.what(), HasSubstr("did you mean 'svi_shot'?"));
  }
}

}  // namespace
}  // namespace svi
