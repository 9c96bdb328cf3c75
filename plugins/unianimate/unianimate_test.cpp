#include <gmock/gmock.h>

#include "method/told_frames.hpp"
#include "svi/method/chain.hpp"
#include "svi/plugin/loader.hpp"

namespace svi {
namespace {

struct UniAnimate : ::testing::Test {
  UniAnimate() { load_plugin(PLUGIN_FILE, registry); }

  std::unique_ptr<Method> method(const std::string& options = "") const {
    return registry.make<Method>(
        Document::parse("[method]\ntype = unianimate\n" + options, "test.ini"), "");
  }

  Registry registry;
};

TEST_F(UniAnimate, CarriesItsLastFrameAlone) {
  const auto made = method();
  EXPECT_EQ(made->chain()->plan(3).motion_frames, 1);
  EXPECT_EQ(made->chain()->plan(3).condition.anchor_copies, 0);
  EXPECT_EQ(made->frames({81, 832, 480}, 10), 801);
  EXPECT_THROW(made->check_parts({"text", "image"}), ConfigError);  // a model that sees no pose
}

TEST_F(UniAnimate, FrameKShowsPoseKOverEverySeam) {
  const auto grey = [](std::int64_t frames) {
    return at::arange(frames, at::kByte).view({-1, 1, 1, 1}).repeat({1, 3, 16, 16});
  };
  const auto level = [](const at::Tensor& told) {
    return (told[0].flatten(1).select(1, 0) + 1) * 127.5;
  };
  test::expect_frame_k_is_told_k([&](const std::string& options) { return method(options); },
                                 {part::kPose, grey, level, 1e-3}, 3);
}

}  // namespace
}  // namespace svi
