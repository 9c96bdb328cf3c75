#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "metric/recording_sink.hpp"
#include "svi/core/check.hpp"
#include "svi/plugin/loader.hpp"

namespace svi {
namespace {

class MyComponentTest : public ::testing::Test {
 protected:
  MyComponentTest() { load_plugin(PLUGIN_FILE, registry_); }

  std::unique_ptr<Metric> metric(const std::string& options = "") const {
    return registry_.make<Metric>(
        Document::parse("[metric]\ntype = my_component\n" + options, "test.ini"), "");
  }

  Registry registry_;
};

TEST_F(MyComponentTest, CountsBrightPixelsFrameByFrameAndClipByClip) {
  auto film = at::zeros({3, 4, 2, 5});
  film.select(1, 1).fill_(0.9);          // a bright frame
  film.select(1, 2).select(2, 0) = 0.9;  // one of five columns
  const auto said = measure(*metric(), film, 2);
  const std::vector<std::vector<double>> frames{{0, 1}, {0.2, 0}};
  const std::vector<double> clips{0.5, 0.1};
  EXPECT_EQ(said.per_frame.at("my_component"), frames);
  ASSERT_EQ(said.clips.at("my_component").size(), 2u);
  for (std::size_t i = 0; i < 2; ++i)
    EXPECT_NEAR(said.clips.at("my_component")[i], clips[i], 1e-15);
}

TEST_F(MyComponentTest, HasAThresholdBetweenBlackAndWhite) {
  const auto grey = at::full({3, 1, 2, 2}, 0.3);
  EXPECT_EQ(measure(*metric("threshold = 0.2\n"), grey, 1).clips.at("my_component")[0], 1);
  EXPECT_THROW(metric("threshold = 2\n"), ConfigError);
}

}  // namespace
}  // namespace svi
