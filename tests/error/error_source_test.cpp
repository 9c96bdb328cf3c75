#include "svi/error/error_source.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "error/step_fixture.hpp"
#include "svi/core/check.hpp"
#include "svi/error/builtins.hpp"
#include "svi/error/mixed.hpp"
#include "svi/error/one_step.hpp"
#include "svi/error/residual.hpp"
#include "svi/error/rollout.hpp"
#include "svi/plugin/registry.hpp"

namespace svi {
namespace {

using test::gaussian;
using test::Step;

bool close(const at::Tensor& a, const at::Tensor& b) { return at::allclose(a, b, 1e-5, 1e-5); }

TEST(OneStepError, IsTheDifferenceOfTwoIntegrations) {
  const Step step;
  const auto errors = OneStepError({}).extract(step.view());

  ASSERT_EQ(errors.size(), 3u);
  for (std::int64_t b = 0; b < 3; ++b) {
    const auto& error = errors[static_cast<std::size_t>(b)];
    for (const auto end : {ErrorEnd::data, ErrorEnd::noise}) {
      EXPECT_TRUE(close(error.at(end), step.estimate(end, b, step.predicted) -
                                           step.estimate(end, b, step.target)));
    }
    EXPECT_FLOAT_EQ(static_cast<float>(error.sigma), step.sigma[b].item<float>());
    EXPECT_FALSE(error.data_offset.defined());
  }
}

TEST(OneStepError, IsTheDifferenceToTheCleanTensorsIfAsked) {
  const Step step;
  const auto errors = OneStepError({.definition = ErrorDefinition::clean}).extract(step.view());

  for (std::int64_t b = 0; b < 3; ++b) {
    const auto& error = errors[static_cast<std::size_t>(b)];
    EXPECT_TRUE(close(error.at(ErrorEnd::data),
                      step.estimate(ErrorEnd::data, b, step.predicted) - step.clean[b]));
    EXPECT_TRUE(close(error.at(ErrorEnd::noise),
                      step.estimate(ErrorEnd::noise, b, step.predicted) - step.noise[b]));
  }
  EXPECT_FALSE(errors[2].data_offset.defined() || errors[2].noise_offset.defined());
}

TEST(OneStepError, ScalesTheDifferenceToTheCleanTensors) {
  const Step step;
  const OneStepError source({.definition = ErrorDefinition::clean, .scale = 2});
  const auto errors = source.extract(step.view());

  for (std::int64_t b = 0; b < 3; ++b) {
    const auto& error = errors[static_cast<std::size_t>(b)];
    EXPECT_TRUE(close(error.at(ErrorEnd::data),
                      2 * (step.estimate(ErrorEnd::data, b, step.predicted) - step.clean[b])));
    EXPECT_TRUE(close(error.at(ErrorEnd::noise),
                      2 * (step.estimate(ErrorEnd::noise, b, step.predicted) - step.noise[b])));
  }
}

TEST(OneStepError, CountsAnErrorOfOneVoxelAsInjected) {
  Step step;
  step.latent_error.zero_();
  step.latent_error[1][0][0][2][3] = 0.5;
  step.settle();
  const auto errors = OneStepError({.definition = ErrorDefinition::clean}).extract(step.view());

  ASSERT_TRUE(errors[1].data_offset.defined());
  EXPECT_NEAR(errors[1].data_offset[0][0][2][3].item<float>(), 0.5 * (1 - 0.5), 1e-6);
  EXPECT_FALSE(errors[0].data_offset.defined());
}

TEST(OneStepError, SharesOneOffsetWhereNoNoiseErrorWasInjected) {
  Step step;
  step.noise_error.zero_();
  step.settle();
  const auto errors = OneStepError({.definition = ErrorDefinition::clean}).extract(step.view());

  EXPECT_TRUE(errors[0].data_offset.defined());
  EXPECT_TRUE(errors[0].data_offset.is_same(errors[0].noise_offset));
  EXPECT_EQ(errors[0].bytes(), 2 * 2 * 3 * 4 * 5 * 4);
}

TEST(OneStepError, IsZeroForAPerfectModelOnlyInTheReferencesDefinition) {
  Step step;
  step.predicted = step.target.clone();
  const auto reference = OneStepError({}).extract(step.view());
  const auto clean = OneStepError({.definition = ErrorDefinition::clean}).extract(step.view());

  EXPECT_EQ(reference[0].at(ErrorEnd::data).count_nonzero().item<std::int64_t>(), 0);
  EXPECT_TRUE(close(clean[0].at(ErrorEnd::data), (1 - 0.1) * step.latent_error[0]));
}

TEST(OneStepError, ScalesAndRemovesChannelMeans) {
  Step step;
  step.predicted = step.target + 3;
  step.predicted[0][1] += gaussian(9, {3, 4, 5});
  const auto errors =
      OneStepError({.scale = 2, .remove_mean = MeanRemoval::channel}).extract(step.view());

  EXPECT_LT(errors[0].residual.mean({1, 2, 3}).abs().max().item<float>(), 1e-5);
  EXPECT_LT(errors[1].residual.abs().max().item<float>(), 1e-5);
  EXPECT_NEAR(errors[0].data_gain, -0.2, 1e-6);
  EXPECT_NEAR(errors[0].noise_gain, 1.8, 1e-6);
}

TEST(ResidualError, IsTheUnscaledDifference) {
  const Step step;
  const auto errors = ResidualError({}).extract(step.view());

  EXPECT_TRUE(close(errors[1].at(ErrorEnd::data), step.target[1] - step.predicted[1]));
  EXPECT_TRUE(close(errors[1].at(ErrorEnd::noise), step.predicted[1] - step.target[1]));
}

TEST(RolloutError, IsGeneratedMinusTrueAtTheDataEndAlone) {
  const RolloutError source({.every = 10, .batch = 3, .first_step = 5, .scale = 0.5});
  const auto truth = gaussian(1, {2, 2, 1, 4, 5}), generated = gaussian(2, {2, 2, 1, 4, 5});
  const auto errors = source.extract(RolloutView{truth, generated});

  ASSERT_EQ(errors.size(), 2u);
  EXPECT_TRUE(close(errors[1].at(ErrorEnd::data), 0.5 * (generated[1] - truth[1])));
  EXPECT_EQ(errors[1].at(ErrorEnd::noise).count_nonzero().item<std::int64_t>(), 0);
  EXPECT_TRUE(source.extract(Step().view()).empty());
  EXPECT_EQ(source.rollouts_due(0), 0);
  EXPECT_EQ(source.rollouts_due(5), 3);
  EXPECT_EQ(source.rollouts_due(6), 0);
  EXPECT_EQ(source.rollouts_due(15), 3);
}

TEST(MixedError, IsOneStepInTrainingAndRolloutForClips) {
  const MixedError mixed(
      {.one_step = {.scale = 2}, .rollout = {.every = 7, .batch = 2, .scale = 3}});
  const OneStepError one_step({.scale = 2});
  const RolloutError rollout({.every = 7, .batch = 2, .scale = 3});
  const Step step;
  const auto truth = gaussian(1, {2, 2, 1, 4, 5}), generated = gaussian(2, {2, 2, 1, 4, 5});

  const auto trained = mixed.extract(step.view()), wanted = one_step.extract(step.view());
  const auto made = mixed.extract(RolloutView{truth, generated});

  ASSERT_EQ(trained.size(), wanted.size());
  for (std::size_t b = 0; b < wanted.size(); ++b) {
    EXPECT_TRUE(at::equal(trained[b].at(ErrorEnd::data), wanted[b].at(ErrorEnd::data)));
    EXPECT_TRUE(at::equal(trained[b].at(ErrorEnd::noise), wanted[b].at(ErrorEnd::noise)));
  }
  EXPECT_TRUE(at::equal(made[1].at(ErrorEnd::data),
                        rollout.extract(RolloutView{truth, generated})[1].at(ErrorEnd::data)));
  EXPECT_EQ(trained[0].sigma, 0.14);  // made at 0.1
  EXPECT_EQ(trained[2].sigma, wanted[2].sigma);
  EXPECT_EQ(made[1].sigma, 0);
  EXPECT_EQ(mixed.rollouts_due(14), 2);
  EXPECT_EQ(mixed.rollouts_due(15), 0);
}

TEST(ErrorSource, NamesShapesThatDisagree) {
  Step step;
  step.predicted = gaussian(3, {3, 2, 3, 4, 4});

  EXPECT_THROW(OneStepError({}).extract(step.view()), Error);
}

TEST(ErrorSource, RecordsNoGradients) {
  Step step;
  step.predicted.set_requires_grad(true);

  EXPECT_FALSE(OneStepError({}).extract(step.view())[0].residual.requires_grad());
}

TEST(ErrorSource, BuiltInsAreMadeByName) {
  Registry registry;
  Registrar registrar(registry, "built-in");
  register_error(registrar);
  const auto document =
      Document::parse("[error_source]\ntype = one_step\ndefinition = clean\n", "test.ini");

  const auto made = registry.make<ErrorSource>(document, "none");

  EXPECT_EQ(registry.kinds().at("error_source").size(), 9u);
  EXPECT_TRUE(made->extract(Step().view())[0].data_offset.defined());
  EXPECT_TRUE(registry.make<ErrorSource>(Document(), "none")->extract(Step().view()).empty());
}

}  // namespace
}  // namespace svi
