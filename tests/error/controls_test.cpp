#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "error/step_fixture.hpp"
#include "support/temporary_folder.hpp"
#include "svi/core/check.hpp"
#include "svi/error/gaussian.hpp"
#include "svi/error/one_step.hpp"
#include "svi/error/recorded.hpp"
#include "svi/error/shuffled.hpp"
#include "svi/io/safetensors.hpp"
#include "svi/tensor/error_records.hpp"

namespace svi {
namespace {

using test::gaussian;
using test::Step;
using testing::HasSubstr;

double rms(const at::Tensor& tensor) { return tensor.square().mean().sqrt().item<double>(); }

TEST(GaussianError, HasThePowerOfTheErrorItStandsForChannelByChannel) {
  const Step step;
  const OneStepError::Config base{.scale = 2, .remove_mean = MeanRemoval::channel};
  const auto expected = OneStepError(base).extract(step.view());
  const auto errors = GaussianError({.base = base}).extract(step.view());

  ASSERT_EQ(errors.size(), expected.size());
  for (std::size_t b = 0; b < errors.size(); ++b) {
    for (std::int64_t c = 0; c < 2; ++c) {
      EXPECT_NEAR(rms(errors[b].residual[c]) / rms(expected[b].residual[c]), 1, 1e-6);
    }
    EXPECT_EQ(errors[b].sigma, expected[b].sigma);
    EXPECT_EQ(errors[b].data_gain, expected[b].data_gain);
    EXPECT_EQ(errors[b].noise_gain, expected[b].noise_gain);
  }
}

TEST(GaussianError, HasThePowerOverallIfAskedAndOneSpectrumForAllChannels) {
  Step step(32);
  step.predicted.select(1, 0).mul_(10);  // one channel is far worse than the other
  const auto expected = OneStepError({}).extract(step.view());
  const auto errors = GaussianError({.power = GaussianPower::overall}).extract(step.view());

  EXPECT_NEAR(rms(errors[0].residual) / rms(expected[0].residual), 1, 1e-6);
  EXPECT_NEAR(rms(errors[0].residual[0]) / rms(errors[0].residual[1]), 1, 0.1);
  EXPECT_GT(rms(expected[0].residual[0]) / rms(expected[0].residual[1]), 3);
}

TEST(GaussianError, IsWhiteAndForgetsTheErrorsStructure) {
  Step step(32);
  step.predicted = step.target + at::linspace(-1, 1, 32);  // a ramp along the width
  const auto residual = GaussianError({}).extract(step.view())[0].residual;
  const auto shifted = residual.narrow(3, 1, 31), kept = residual.narrow(3, 0, 31);

  // 6,000 products of independent numbers: a correlation of 4 / sqrt(6000) would be four sigma.
  EXPECT_LT(std::abs((shifted * kept).mean().item<double>()) / std::pow(rms(residual), 2), 0.05);
}

TEST(GaussianError, DrawsByStepAndSampleWhateverTheBatch) {
  const Step step;
  const GaussianError source({});
  auto whole = step.view(), later = step.view(), part = step.view();
  whole.seed = later.seed = part.seed = 5;
  later.step = 1;
  part.first_sample = 1;
  const auto errors = source.extract(whole);
  const auto unit = [](const BankedError& error) {
    return error.residual[0] / error.residual[0].norm();
  };

  EXPECT_TRUE(at::equal(errors[1].residual, source.extract(whole)[1].residual));
  // Sample 1 of the global batch is sample 0 of a batch that begins there: the same draw.
  EXPECT_TRUE(at::allclose(unit(errors[1]), unit(source.extract(part)[0]), 1e-5, 1e-6));
  EXPECT_FALSE(at::allclose(unit(errors[0]), unit(source.extract(later)[0]), 1e-2, 1e-2));
  EXPECT_FALSE(at::allclose(unit(errors[0]), unit(errors[1]), 1e-2, 1e-2));
}

TEST(FixedGaussianError, IsWhiteNoiseOfOneStrengthAtBothEnds) {
  const Step step(32);
  const auto errors = FixedGaussianError({.rms = 0.3}).extract(step.view());

  ASSERT_EQ(errors.size(), 3u);
  EXPECT_NEAR(rms(errors[0].residual), 0.3, 0.3 * 4 / std::sqrt(2.0 * errors[0].residual.numel()));
  EXPECT_TRUE(at::equal(errors[0].at(ErrorEnd::data), errors[0].at(ErrorEnd::noise)));
  EXPECT_FALSE(at::equal(errors[0].residual, errors[1].residual));
  EXPECT_FLOAT_EQ(static_cast<float>(errors[2].sigma), step.sigma[2].item<float>());
}

/// The columns [C] of an error [C, F, h, w], sorted: what a permutation of places keeps.
std::multiset<std::vector<float>> columns(const at::Tensor& error) {
  const auto flat = error.flatten(1).t().contiguous();  // [places, C]
  std::multiset<std::vector<float>> found;
  for (std::int64_t i = 0; i < flat.size(0); ++i) {
    const auto* row = flat.const_data_ptr<float>() + i * flat.size(1);
    found.emplace(row, row + flat.size(1));
  }
  return found;
}

TEST(ShuffledError, PermutesPlacesWithAllTheirChannels) {
  const Step step;
  const auto expected = OneStepError({}).extract(step.view());
  const auto errors = ShuffledError({.grid = false}).extract(step.view());

  for (std::size_t b = 0; b < errors.size(); ++b) {
    EXPECT_EQ(columns(errors[b].residual), columns(expected[b].residual));
    EXPECT_FALSE(at::equal(errors[b].residual, expected[b].residual));
    EXPECT_EQ(errors[b].sigma, expected[b].sigma);
  }
}

TEST(ShuffledError, PermutesOffsetsAsItsResidual) {
  const Step step;
  const OneStepError::Config base{.definition = ErrorDefinition::clean};
  const auto expected = OneStepError(base).extract(step.view());
  const auto errors = ShuffledError({.base = base, .grid = false}).extract(step.view());

  for (const auto end : {ErrorEnd::data, ErrorEnd::noise})
    EXPECT_EQ(columns(errors[0].at(end)), columns(expected[0].at(end)));
  EXPECT_EQ(errors[0].bytes(), expected[0].bytes());
}

TEST(ShuffledError, FilesErrorsInAnyOtherGridWithTheirOwnPower) {
  const TimeBins bins(50, 5);
  const ShuffledError source({.space = false});
  std::set<std::int64_t> found;
  for (std::int64_t i = 0; i < 400; ++i) {
    const Step step;
    auto view = step.view();
    view.step = i;
    const auto expected = OneStepError({}).extract(view);
    const auto errors = source.extract(view);
    EXPECT_TRUE(at::equal(errors[0].at(ErrorEnd::data), expected[0].at(ErrorEnd::data)));
    EXPECT_TRUE(at::equal(errors[0].at(ErrorEnd::noise), expected[0].at(ErrorEnd::noise)));
    EXPECT_NE(bins.bin(errors[0].sigma), bins.bin(expected[0].sigma));
    found.insert(bins.bin(errors[0].sigma));
  }

  // 400 draws miss one of 49 grids with probability 49 e^-8 = 1.3 %; this seed does not.
  EXPECT_EQ(found.size(), 49u);
}

TEST(ShuffledError, RefusesToShuffleNothing) {
  const ShuffledError::Config config{.space = false, .grid = false};

  EXPECT_THAT(config.problem(), HasSubstr("one_step"));
}

std::string refusal(const RecordedError& source, at::IntArrayRef latent) {
  try {
    source.preload(latent);
  } catch (const IoError& error) {
    return error.what();
  }
  return "accepted";
}

TEST(RecordedError, GivesTheErrorsOfAFileInOrderAndLearnsNothing) {
  const TemporaryFolder folder;
  const auto path = (folder.path() / "bank.safetensors").string();
  const Step step;
  const auto errors = OneStepError({.definition = ErrorDefinition::clean}).extract(step.view());
  save_safetensors(path, pack_errors(errors));
  const RecordedError source({.path = path, .scale = 2});

  const auto again = source.preload({2, 3, 4, 5});

  ASSERT_EQ(again.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    for (const auto end : {ErrorEnd::data, ErrorEnd::noise})
      EXPECT_TRUE(at::allclose(again[i].at(end), errors[i].at(end) * 2, 1e-6, 1e-6));
    EXPECT_EQ(again[i].sigma, errors[i].sigma);
    EXPECT_EQ(again[i].bytes(), errors[i].bytes());
  }
  EXPECT_TRUE(source.extract(step.view()).empty());
  ASSERT_EQ(source.inputs().size(), 1u);
  EXPECT_EQ(source.inputs()[0].path, path);
  EXPECT_EQ(source.preload({2, 9, 4, 5}).size(), 3u);  // fewer frames than a clip
}

TEST(RecordedError, NamesTheFileAndWhoWritesIt) {
  const TemporaryFolder folder;
  const auto path = (folder.path() / "other_run" / "banks" / "erft-seed0.safetensors").string();
  const RecordedError source({.path = path});

  const auto missing = refusal(source, {2, 3, 4, 5});
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  save_safetensors(path, pack_errors(OneStepError({}).extract(Step().view())));
  const auto wide = refusal(source, {2, 3, 4, 6});
  save_safetensors(path, {{"weights", at::zeros({3})}});
  const auto foreign = refusal(source, {2, 3, 4, 5});
  save_safetensors(path, pack_errors({}));
  const auto empty = refusal(source, {2, 3, 4, 5});

  for (const auto& text : {missing, wide, foreign, empty}) EXPECT_THAT(text, HasSubstr(path));
  EXPECT_THAT(missing, HasSubstr("run experiment 'other_run' first"));
  EXPECT_THAT(missing, HasSubstr("keep_bank = on"));
  EXPECT_THAT(wide, HasSubstr("[2, 3, 4, 6]"));
  EXPECT_THAT(foreign, HasSubstr("'errors' is missing"));
  EXPECT_THAT(empty, HasSubstr("without errors"));
  EXPECT_NE(RecordedError::Config().problem(), "");
}

}  // namespace
}  // namespace svi
