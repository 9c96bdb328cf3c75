#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

#include "svi/core/check.hpp"
#include "svi/guidance/cfg.hpp"
#include "svi/io/safetensors.hpp"
#include "svi/model/flow_schedule.hpp"
#include "svi/sampler/euler.hpp"
#include "svi/sampler/unipc.hpp"

namespace svi {
namespace {

constexpr double kTolerance = 1e-4;

// The model of make_fixtures.py; remembers the latents and times it was asked about.
class AnalyticModel final : public VelocityModel {
 public:
  mutable std::vector<at::Tensor> seen;  // [1, 2, 1, 2, 3] each
  mutable std::vector<double> timesteps;

  at::Tensor velocity(const at::Tensor& noisy, const at::Tensor& timestep,
                      const Condition&) const override {
    seen.push_back(noisy.clone());
    timesteps.push_back(timestep[0].item<double>());
    const double sigma = timesteps.back() / 1000;
    return at::tanh(1.5 * noisy + sigma) + 0.4 * noisy * std::cos(3 * sigma) - 0.2;
  }
};

const NoGuidance kUnguided;

const SafetensorsFile& fixture() {
  static const auto file = SafetensorsFile::open(std::string(SVI_SOURCE_DIR) +
                                                 "/tests/data/sampler/trajectories.safetensors");
  return file;
}

double relative_error(const at::Tensor& a, const at::Tensor& b) {
  return ((a - b).abs().max() / b.abs().max()).item<double>();
}

// Largest relative error of the latents seen and the result against the fixture.
double trajectory_error(const Sampler& sampler, const std::string& name) {
  const AnalyticModel model;
  const auto result = sampler.sample(Denoiser(model, kUnguided, {}), fixture().load("noise"));
  model.seen.push_back(result);
  const auto ours = at::stack(model.seen).flatten(1);  // [K + 1, 12]
  const auto theirs = fixture().load(name);
  EXPECT_EQ(ours.sizes(), theirs.sizes()) << name;
  double worst = 0;
  for (std::int64_t i = 0; i < ours.size(0); ++i) {
    worst = std::max(worst, relative_error(ours[i], theirs[i]));
  }
  return worst;
}

std::string name_of(const char* table, int shift, int steps) {
  return cat(table, ".shift", shift, ".steps", steps);
}

at::Tensor row(const std::vector<float>& values) { return at::tensor(values); }

TEST(UniPcSampler, FollowsDiffusersOnBothTablesForEveryNumberOfStepsToFifty) {
  for (const auto table : {UniPcTable::official, UniPcTable::diffusers}) {
    for (const int shift : {3, 5}) {
      for (int steps = 1; steps <= 50; ++steps) {
        const UniPcSampler sampler(
            {.steps = steps, .shift = static_cast<double>(shift), .table = table});
        const auto name = name_of(enum_names(table)[static_cast<int>(table)].c_str(), shift, steps);
        EXPECT_LE(trajectory_error(sampler, name), kTolerance) << name;
      }
    }
  }
}

TEST(UniPcSampler, HasTheTablesAndWholeTimestepsOfTheProgramsItIsNamedAfter) {
  for (const auto table : {UniPcTable::official, UniPcTable::diffusers}) {
    for (const int shift : {3, 5}) {
      for (const int steps : {1, 4, 20, 50}) {
        const UniPcSampler sampler(
            {.steps = steps, .shift = static_cast<double>(shift), .table = table});
        const auto name = name_of(enum_names(table)[static_cast<int>(table)].c_str(), shift, steps);
        EXPECT_TRUE(at::equal(row(sampler.sigmas()), fixture().load(name + ".sigmas"))) << name;
        EXPECT_TRUE(at::equal(at::tensor(sampler.timesteps()), fixture().load(name + ".timesteps")))
            << name;
      }
    }
  }
}

TEST(EulerSampler, FollowsDiffusersForEveryNumberOfStepsToFifty) {
  for (const int shift : {3, 5}) {
    for (int steps = 1; steps <= 50; ++steps) {
      const EulerSampler sampler({.steps = steps, .shift = static_cast<double>(shift)});
      const auto name = name_of("euler", shift, steps);
      EXPECT_LE(trajectory_error(sampler, name), kTolerance) << name;
    }
  }
}

TEST(EulerSampler, HasTheSigmasOfDiffusersAndOfTheReferencesFiftyTestGrids) {
  for (const int shift : {3, 5}) {
    for (const int steps : {1, 4, 20, 50}) {
      const EulerSampler sampler({.steps = steps, .shift = static_cast<double>(shift)});
      const auto theirs = fixture().load(name_of("euler", shift, steps) + ".sigmas");
      EXPECT_LE(relative_error(row(sampler.sigmas()), theirs), 2e-7) << shift << " " << steps;
    }
  }
  const auto sigmas = EulerSampler({}).sigmas();
  ASSERT_EQ(sigmas.size(), 50U);
  const std::vector<std::pair<int, double>> published = {
      {0, 1000}, {1, 995.93}, {10, 952.38}, {25, 833.33}, {40, 555.56}, {48, 172.41}, {49, 92.59}};
  for (const auto& [i, timestep] : published) EXPECT_NEAR(1000 * sigmas[i], timestep, 0.005);
}

TEST(EulerSampler, TakesTheDistilledListAsFourStepsOfShiftFive) {
  const EulerSampler listed({.timesteps = {1000, 750, 500, 250}});
  const EulerSampler even({.steps = 4, .shift = 5});

  ASSERT_EQ(listed.sigmas().size(), 4U);
  for (int i = 0; i < 4; ++i) EXPECT_FLOAT_EQ(listed.sigmas()[i], even.sigmas()[i]);
  EXPECT_FLOAT_EQ(listed.sigmas()[1], 0.9375F);

  const AnalyticModel model;
  listed.sample(Denoiser(model, kUnguided, {}), fixture().load("noise"));
  EXPECT_EQ(model.timesteps.size(), 4U);
}

TEST(EulerSampler, RefusesTimestepsThatDoNotFall) {
  EXPECT_THROW(EulerSampler({.timesteps = {1000, 1000}}), ConfigError);
  EXPECT_THROW(EulerSampler({.timesteps = {500, 750}}), ConfigError);
  EXPECT_THROW(EulerSampler({.timesteps = {500, 0}}), ConfigError);
  EXPECT_THROW(EulerSampler({.timesteps = {1001, 500}}), ConfigError);
}

// The reference's arithmetic, operation by operation.
TEST(EulerSampler, RoundsEveryOperationInBf16WhenAsked) {
  const EulerSampler sampler({.steps = 10, .accumulate = Accumulation::bf16});
  const FlowSchedule schedule(10, 5);
  const AnalyticModel model;
  auto latent = fixture().load("noise").to(at::kBFloat16);  // [1, 2, 1, 2, 3]
  for (int i = 0; i < 10; ++i) {
    const auto timestep = at::full({1}, schedule.timesteps()[i], at::kFloat);
    latent = latent + model.velocity(latent, timestep, {}) * schedule.deltas()[i];
  }

  const auto ours = sampler.sample(Denoiser(model, kUnguided, {}), fixture().load("noise"));
  const auto fp32 =
      EulerSampler({.steps = 10}).sample(Denoiser(model, kUnguided, {}), fixture().load("noise"));

  EXPECT_EQ(ours.scalar_type(), at::kFloat);
  EXPECT_TRUE(at::equal(ours, latent.to(at::kFloat)));
  EXPECT_LE(relative_error(ours, fp32), 2e-2);
  EXPECT_GT(relative_error(ours, fp32), 0);
}

// Velocity of each frame from its own time: what tells frames apart.
class FrameTimeModel final : public VelocityModel {
 public:
  at::Tensor velocity(const at::Tensor& noisy, const at::Tensor& timestep,
                      const Condition&) const override {
    const auto frames = timestep.dim() == 2 ? timestep.size(1) : 1;
    return noisy * 0.5 + (timestep / 1000).view({noisy.size(0), 1, frames, 1, 1});
  }
};

TEST(EulerSampler, StepByStepIsAWholeClip) {
  const FrameTimeModel model;
  const Denoiser denoiser(model, kUnguided, {});
  const EulerSampler sampler({.steps = 6, .shift = 3});
  const auto noise = at::randn({2, 3, 4, 2, 2});
  auto latent = noise, framewise = noise;
  for (std::size_t i = 0; i < sampler.sigmas().size(); ++i) {
    const auto from = at::full({2}, sampler.sigmas()[i]);
    const auto to = at::full({2}, i + 1 < sampler.sigmas().size() ? sampler.sigmas()[i + 1] : 0.F);
    const auto index = static_cast<std::int64_t>(i);
    latent = sampler.step(denoiser, latent, from, to, index);
    framewise = sampler.step(denoiser, framewise, from.unsqueeze(1).expand({2, 4}),
                             to.unsqueeze(1).expand({2, 4}), index);
  }

  const auto whole = sampler.sample(denoiser, noise);

  EXPECT_LE(relative_error(latent, whole), 1e-6);
  EXPECT_TRUE(at::equal(latent, framewise));
}

TEST(Sampler, RefusesFlowTimesOfAnotherBatchOrLength) {
  const AnalyticModel model;
  const Denoiser denoiser(model, kUnguided, {});
  const EulerSampler sampler({.steps = 6});
  const auto latent = at::zeros({2, 2, 4, 2, 3});
  for (const auto& sizes : std::vector<std::vector<std::int64_t>>{{3}, {2, 5}, {3, 4}, {2, 4, 1}}) {
    const auto from = at::full(sizes, 0.5);
    EXPECT_THROW(sampler.step(denoiser, latent, from, from, 0), Error) << at::IntArrayRef(sizes);
  }
}

/// Cuts a frame off.
class CuttingSampler final : public Sampler {
 public:
  const std::vector<float>& sigmas() const override { return sigmas_; }

 private:
  at::Tensor do_sample(const Denoiser&, const at::Tensor& noise, const OnStep&) const override {
    return noise.narrow(2, 1, noise.size(2) - 1);
  }
  std::vector<float> sigmas_ = {1};
};

TEST(Sampler, RefusesALatentOfAnotherShape) {
  const AnalyticModel model;

  EXPECT_THROW(CuttingSampler().sample(Denoiser(model, kUnguided, {}), at::zeros({1, 2, 3, 2, 3})),
               Error);
}

TEST(EulerSampler, MovesOnlyFramesWhoseTimesDiffer) {
  const FrameTimeModel model;
  const Denoiser denoiser(model, kUnguided, {});
  const EulerSampler sampler({.steps = 6});
  const auto latent = at::randn({1, 3, 3, 2, 2});
  const auto from = at::tensor({0.2F, 0.5F, 1.F}).view({1, 3});
  const auto to = at::tensor({0.2F, 0.25F, 1.F}).view({1, 3});

  const auto moved = sampler.step(denoiser, latent, from, to, 0);

  EXPECT_TRUE(at::equal(moved.select(2, 0), latent.select(2, 0)));
  EXPECT_TRUE(at::equal(moved.select(2, 2), latent.select(2, 2)));
  const auto expected = latent.select(2, 1) + (latent.select(2, 1) * 0.5 + 0.5) * -0.25;
  EXPECT_TRUE(at::allclose(moved.select(2, 1), expected));
}

TEST(UniPcSampler, RefusesASingleStep) {
  const FrameTimeModel model;
  const Denoiser denoiser(model, kUnguided, {});
  EXPECT_THROW(
      UniPcSampler({}).step(denoiser, at::zeros({1, 1, 1, 1, 1}), at::ones({1}), at::zeros({1}), 0),
      ConfigError);
}

}  // namespace
}  // namespace svi
