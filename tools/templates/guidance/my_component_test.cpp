#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "svi/core/check.hpp"
#include "svi/guidance/denoiser.hpp"
#include "svi/plugin/loader.hpp"

namespace svi {
namespace {

/// v is the mean of the text that it is told.
class Echo final : public VelocityModel {
 public:
  at::Tensor velocity(const at::Tensor& noisy, const at::Tensor&,
                      const Condition& condition) const override {
    return at::zeros_like(noisy) + condition[part::kText].mean();
  }
};

class MyComponentTest : public ::testing::Test {
 protected:
  MyComponentTest() { load_plugin(PLUGIN_FILE, registry_); }

  std::unique_ptr<Guidance> guidance(const std::string& options) const {
    return registry_.make<Guidance>(
        Document::parse("[guidance]\ntype = my_component\n" + options, "test.ini"), "none");
  }

  Registry registry_;
  Condition positive_{{part::kText, at::full({1, 2, 1}, 3.0)}};
  Condition negative_{{part::kText, at::full({1, 2, 1}, 1.0)}};
  at::Tensor noisy_ = at::zeros({1, 4, 1, 2, 2});
};

TEST_F(MyComponentTest, LeadsPastThePromptByAScaleThatFallsWithTheFlowTime) {
  const auto made = guidance("scale = 4\n");
  const Echo model;
  for (const double sigma : {1.0, 0.5, 0.25}) {
    const Denoiser denoiser(model, *made, positive_, negative_);
    const auto v = denoiser.velocity(noisy_, 1000 * sigma, 0);
    EXPECT_NEAR(v.max().item<double>(), 1 + (1 + 3 * sigma) * (3 - 1), 1e-5) << sigma;
    EXPECT_EQ(denoiser.evaluations(), 2);
  }
}

TEST_F(MyComponentTest, NeedsANegativeCondition) {
  const auto made = guidance("");
  const Echo model;
  EXPECT_THROW(Denoiser(model, *made, positive_).velocity(noisy_, 500, 0), Error);
  EXPECT_THROW(guidance("scale = -1\n"), ConfigError);
}

}  // namespace
}  // namespace svi
