#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "svi/core/check.hpp"
#include "svi/guidance/cfg.hpp"
#include "svi/plugin/loader.hpp"
#include "svi/sampler/sampler.hpp"
#include "svi/tensor/random.hpp"

namespace svi {
namespace {

/// Leads to 0.25 from any flow time.
class Straight final : public VelocityModel {
 public:
  at::Tensor velocity(const at::Tensor& noisy, const at::Tensor& timestep,
                      const Condition&) const override {
    const auto frames = timestep.dim() == 2 ? timestep.size(1) : 1;
    return (noisy - 0.25) / (timestep / 1000).view({noisy.size(0), 1, frames, 1, 1});
  }
};

class MyComponentTest : public ::testing::Test {
 protected:
  MyComponentTest() { load_plugin(PLUGIN_FILE, registry_); }

  std::unique_ptr<Sampler> sampler(const std::string& options) const {
    return registry_.make<Sampler>(
        Document::parse("[sampler]\ntype = my_component\n" + options, "test.ini"), "");
  }

  Registry registry_;
  Straight model_;
  NoGuidance unguided_;
  Denoiser denoiser_{model_, unguided_, {}};
  at::Tensor noise_ = normal({1, Purpose::test, 0, 0}, {2, 3, 2, 4, 4});
};

TEST_F(MyComponentTest, StepsOverPowers) {
  EXPECT_EQ(sampler("steps = 4\npower = 2\n")->sigmas(),
            (std::vector<float>{1, 0.5625F, 0.25F, 0.0625F}));
}

TEST_F(MyComponentTest, FollowsAStraightFlowToItsEnd) {
  const auto clip = sampler("steps = 5\n")->sample(denoiser_, noise_);
  EXPECT_LT((clip - 0.25).abs().max().item<double>(), 1e-6);
}

TEST_F(MyComponentTest, MovesEachFrameBetweenItsOwnFlowTimes) {
  const auto from = at::tensor({1.0F, 0.5F}).expand({2, 2});
  const auto to = at::tensor({0.5F, 0.5F}).expand({2, 2});
  const auto moved = sampler("")->step(denoiser_, noise_, from, to, 0);
  const auto half = 0.25 + (noise_ - 0.25) * 0.5;
  EXPECT_LT((moved - half).select(2, 0).abs().max().item<double>(), 1e-6);
  EXPECT_TRUE(at::equal(moved.select(2, 1), noise_.select(2, 1)));
}

TEST_F(MyComponentTest, RefusesNoSteps) { EXPECT_THROW(sampler("steps = 0\n"), ConfigError); }

}  // namespace
}  // namespace svi
