#include "svi/diagnose/error_map.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "diagnose/fakes.hpp"

namespace svi {
namespace {

using test::FakeArm;
using test::values_of;
using testing::ElementsAre;

/// Its velocity is wrong by a known pattern in each latent frame, and its clips by a bias.
class WrongModel final : public VelocityModel {
 public:
  at::Tensor offset;  // [3, F, h, w]: v̂ - v*, as long as data is zero
  at::Tensor velocity(const at::Tensor& noisy, const at::Tensor& timestep,
                      const Condition&) const override {
    return noisy / (timestep / 1000).view({-1, 1, 1, 1, 1}) + offset;
  }
};

ErrorMap::Config small_maps() {
  ErrorMap::Config config;
  config.sigmas = {0.25, 1};
  config.scenes = 3;
  config.clips = 6;
  config.at_clips = {0, 2, 40};
  config.batch = 2;
  return config;
}

at::Tensor picture(std::uint32_t number) { return test::noise_image(number, 0.06); }

/// One-step and rolled-out errors of that model, on scenes that are all grey.
DiagnosticReport run_wrong(const at::Tensor& offset, const ErrorMap::Config& config) {
  FakeArm arm;
  WrongModel model;
  model.offset = offset;
  const OptionChain method;
  const Studio studio{model,           arm.vae,
                      arm.encode_text, method,
                      arm.sampler,     arm.guidance,
                      arm.rollout,     {FakeArm::kFrames, FakeArm::kHeight, FakeArm::kWidth}};
  return ErrorMap(config).run({studio, arm.source, at::kCPU, 0, {}});
}

TEST(ErrorMap, OneStepErrorIsSigmaTimesTheVelocitysError) {
  // Larger in later frames, so that frames and places can be told apart. At data 0 the noisy latent
  // is sigma n, so noisy / sigma is v* exactly.
  const auto offset = at::stack({picture(1), picture(2) * 2, picture(3) * 3}, 1);  // [3, F, h, w]
  const auto report = run_wrong(offset, small_maps());

  const auto wide = offset.to(at::kDouble);
  const auto frames = wide.square().mean({0, 2, 3}).sqrt(),
             places = wide.square().flatten(0, 1).mean(0).sqrt();
  for (const auto& [row, sigma] : {std::pair{0, 0.25}, std::pair{1, 1.0}}) {
    EXPECT_TRUE(at::allclose(values_of(report, "one_step_rms")[row], frames * sigma, 1e-4, 1e-6));
    EXPECT_TRUE(at::allclose(values_of(report, "one_step_map")[row], places * sigma, 1e-4, 1e-6));
    EXPECT_TRUE(at::allclose(values_of(report, "one_step_pixel_map")[row], places * (sigma / 2),
                             1e-4, 1e-5));
    // The same error in all scenes is bias through and through.
    EXPECT_NEAR(values_of(report, "mean_error_rms")[row].item<double>(),
                wide.square().mean().sqrt().item<double>() * sigma, 1e-5);
  }
}

TEST(ErrorMap, DriftIsTheFilmMinusTheTruthAfterEachClip) {
  // The sampler's one step gives the data minus the offset.
  const auto offset = at::stack({picture(1), picture(2), picture(3)}, 1);
  const auto report = run_wrong(offset, small_maps());

  const auto last = offset.select(1, 2).to(at::kDouble) / 2;  // full range
  const auto map = last.square().mean(0).sqrt();
  EXPECT_THAT(std::get<std::vector<std::int64_t>>(report.axes[1].values), ElementsAre(0, 2, 5));
  for (std::int64_t row = 0; row < 3; ++row)
    EXPECT_TRUE(at::allclose(values_of(report, "drift_map")[row], map, 1e-4, 1e-5));
  const double size = last.square().mean().sqrt().item<double>();
  EXPECT_NEAR(values_of(report, "drift_rms")[0].item<double>(), size, 1e-5);
  EXPECT_NEAR(values_of(report, "condition_error_rms")[1].item<double>(), 2 * size, 1e-5);
}

TEST(ErrorMap, AnErrorThatIsTheSameInBothHasRatioAndCorrelationOne) {
  const auto offset = picture(1).unsqueeze(1).repeat({1, 3, 1, 1});
  const auto report = run_wrong(offset, small_maps());

  const auto ratio = values_of(report, "size_ratio"), alike = values_of(report, "map_correlation");
  for (std::int64_t row = 0; row < 3; ++row) {
    EXPECT_NEAR(ratio[row][1].item<double>(), 1, 1e-3);
    EXPECT_NEAR(ratio[row][0].item<double>(), 4, 4e-3);  // one step at sigma .25 is a quarter
    EXPECT_NEAR(alike[row][1].item<double>(), 1, 1e-3);
  }
}

TEST(ErrorMap, SpectraSumUpToTheMapsSquares) {
  FakeArm arm;
  arm.model.gain = 0.9;
  arm.model.fresh = 0.1;
  arm.source.images = {picture(1), picture(2), picture(3)};

  const auto report = arm.run(ErrorMap(small_maps()));

  for (const auto& [map, spectrum] : {std::pair{"one_step_pixel_map", "one_step_spectrum"},
                                      std::pair{"drift_map", "drift_spectrum"}}) {
    EXPECT_TRUE(at::allclose(values_of(report, spectrum).sum(1),
                             values_of(report, map).square().flatten(1).mean(1), 1e-10));
  }
}

TEST(ErrorMap, ErrorsOfPureChanceHaveAMeanThatShrinksWithTheScenes) {
  FakeArm arm;
  arm.model.gain = 1;
  arm.model.fresh = 0.1;
  auto config = small_maps();
  config.sigmas = {1};
  config.scenes = 25;
  config.batch = 25;
  config.clips = 1;

  const auto report = arm.run(ErrorMap(config));

  // Its clip is the truth plus .1 noise; the mean of 25 has a fifth of that, to 2 % of 864 numbers.
  EXPECT_NEAR(values_of(report, "one_step_rms").mean().item<double>(), 0.1, 1e-3);
  EXPECT_NEAR(values_of(report, "mean_error_rms")[0].item<double>(), 0.02, 2e-3);
}

TEST(ErrorMap, SaysNothingWhereTheTruthIsNotKnown) {
  FakeArm arm;
  arm.source.knows_truth = false;

  const auto report = arm.run(ErrorMap(small_maps()));

  for (const auto& result : report.results)
    EXPECT_TRUE(result.values.isnan().all().item<bool>()) << result.name;
}

TEST(ErrorMap, WithLatentHandOverComparesTheLatentsHandedOver) {
  FakeArm arm;
  arm.chain.handover = Handover::latent;
  arm.model.bias = 0.05;

  const auto report = arm.run(ErrorMap(small_maps()));

  EXPECT_NEAR(values_of(report, "condition_error_rms")[0].item<double>(), 0.05, 1e-5);
  EXPECT_NEAR(values_of(report, "condition_error_rms")[1].item<double>(), 0.15, 1e-5);
}

TEST(ErrorMapConfig, RefusesNoFlowTimeAndOneTwice) {
  ErrorMap::Config config;
  config.sigmas = {};
  EXPECT_NE(config.problem(), "");
  config.sigmas = {0.5, 0.5};
  EXPECT_NE(config.problem(), "");
}

/// Breaks the rules of a report in a way of choice.
class Rogue final : public Diagnostic {
 public:
  DiagnosticReport report;

 private:
  DiagnosticReport do_run(const DiagnosticView&) const override { return report; }
};

TEST(Diagnostic, RefusesReportsThatBreakTheRules) {
  const auto two = at::zeros({2}, at::kDouble);
  FakeArm arm;
  Rogue rogue;
  rogue.report = {{{"k", std::vector<std::int64_t>{0, 1}, {}}}, {{"x", "1", "", {"k"}, two}}};
  EXPECT_NO_THROW(arm.run(rogue));

  auto broken = [&](const DiagnosticReport& report) {
    rogue.report = report;
    EXPECT_THROW(arm.run(rogue), Error);
  };
  broken({{{"k", std::vector<double>{0, 1, 2}, {}}}, {{"x", "1", "", {"k"}, two}}});
  broken({{}, {{"x", "1", "", {"k"}, two}, {"x", "1", "", {"k"}, two}}});
  broken({{}, {{"x", "1", "", {"k", "l"}, two}}});
  broken({{}, {{"x", "1", "", {"k"}, two.to(at::kFloat)}}});
  broken({{}, {{"a/b", "1", "", {"k"}, two}}});
}

}  // namespace
}  // namespace svi
