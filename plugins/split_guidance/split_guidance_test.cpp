#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "svi/core/check.hpp"
#include "svi/guidance/denoiser.hpp"
#include "svi/plugin/loader.hpp"

namespace svi {
namespace {

/// v = mean text + 10 mean image + product of both.
class Bilinear final : public VelocityModel {
 public:
  mutable int passes = 0;
  at::Tensor velocity(const at::Tensor& noisy, const at::Tensor&,
                      const Condition& condition) const override {
    ++passes;
    const auto mean = [&](std::string_view part) {
      return condition[part].flatten(1).mean(1).view({-1, 1, 1, 1, 1});
    };
    const auto text = mean(part::kText), image = mean(part::kImage);
    return at::zeros_like(noisy) + text + 10 * image + text * image;
  }
};

class SplitGuidanceTest : public ::testing::Test {
 protected:
  SplitGuidanceTest() { load_plugin(PLUGIN_FILE, registry_); }

  std::unique_ptr<Guidance> guidance(const std::string& options) const {
    return registry_.make<Guidance>(
        Document::parse("[guidance]\ntype = split\n" + options, "test.ini"), "none");
  }

  Registry registry_;
  Condition positive_{{part::kText, at::full({1, 2, 1}, 3.0)},
                      {part::kImage, at::full({1, 4, 1, 2, 2}, 2.0)}};
  Condition negative_{{part::kText, at::zeros({1, 2, 1})}, {part::kImage, positive_[part::kImage]}};
  at::Tensor noise_ = at::zeros({1, 4, 1, 2, 2});
};

TEST_F(SplitGuidanceTest, WeighsImageAndTextApart) {
  const auto split = guidance("image_scale = 1.5\ntext_scale = 4\n");
  for (const auto mode : {PassMode::separate, PassMode::batched}) {
    const Bilinear model;
    const Denoiser denoiser(model, *split, positive_, negative_, mode);

    const auto v = denoiser.velocity(noise_, 500, 0).max().item<double>();

    const double nothing = 0, image = 20, both = 3 + 20 + 6;
    EXPECT_NEAR(v, nothing + 1.5 * (image - nothing) + 4 * (both - image), 1e-4);
    EXPECT_EQ(denoiser.evaluations(), 3);
    EXPECT_EQ(model.passes, mode == PassMode::separate ? 3 : 1);
  }
}

TEST_F(SplitGuidanceTest, WithEqualScalesIsClassifierFreeGuidanceFromNothing) {
  const auto split = guidance("image_scale = 2\ntext_scale = 2\n");
  const Bilinear model;
  const auto v = Denoiser(model, *split, positive_, negative_).velocity(noise_, 500, 0);
  EXPECT_NEAR(v.max().item<double>(), 2 * 29, 1e-4);
}

TEST_F(SplitGuidanceTest, NeedsAnImage) {
  const auto split = guidance("");
  const Bilinear model;
  const Condition text{{part::kText, at::ones({1, 2, 1})}};
  EXPECT_THROW(Denoiser(model, *split, text, text).velocity(noise_, 500, 0), Error);
}

}  // namespace
}  // namespace svi
