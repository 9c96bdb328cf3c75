#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "metric/plugin_metrics.hpp"
#include "metric/recording_sink.hpp"
#include "svi/core/check.hpp"
#include "svi/io/safetensors.hpp"
#include "vbench/motion/motion_rules.hpp"
#include "vision/flow/amt.hpp"
#include "vision/flow/raft.hpp"
#include "vision/hashed_frame.hpp"

namespace svi {
namespace {

namespace dynamic = vbench::dynamic_degree;
namespace still = vbench::static_filter;

TEST(MotionRules, NeedAsManyPairsAsVBench) {
  const std::vector<std::pair<std::int64_t, std::int64_t>> table = {
      {8, 2},   {10, 2},  {16, 4},  {20, 5},   {27, 7},
      {40, 10}, {54, 14}, {81, 20}, {120, 30}, {121, 30}};
  for (const auto& [frames, pairs] : table) EXPECT_EQ(dynamic::needed_pairs(frames), pairs);
  EXPECT_EQ(dynamic::looked_at(120, 3), 40);
  EXPECT_EQ(dynamic::looked_at(121, 3), 41);
}

TEST(MotionRules, LookAtAboutEightFramesASecond) {
  const std::vector<std::pair<double, std::int64_t>> table = {
      {16, 2}, {24, 3}, {25, 3}, {30, 4}, {12, 2}, {20, 2}, {60, 8}, {23.976, 3}, {3, 1}, {0, 1}};
  for (const auto& [fps, frames] : table) EXPECT_EQ(dynamic::interval(fps), frames) << fps;
}

TEST(MotionRules, SetLimitsByTheShortSide) {
  EXPECT_DOUBLE_EQ(dynamic::limit(480, 832), 11.25);
  EXPECT_DOUBLE_EQ(still::limit(832, 480), 5.625);
  EXPECT_EQ(still::allowed_pairs(20), 2);  // 2.5, to the even one
  EXPECT_DOUBLE_EQ(still::limit_of_ends(480, 832, 16), 5.625 * 4);
}

/// A film [3, T, H, W] of hashed frames; a frame may be shown again.
at::Tensor film_of(const std::vector<std::string>& names, std::int64_t height, std::int64_t width) {
  std::vector<at::Tensor> frames;
  for (const auto& name : names) frames.push_back(testing::hashed_frame(name, height, width));
  return at::stack(frames, 1);
}

class VBenchMotionTest : public PluginMetrics {
 protected:
  VBenchMotionTest() : PluginMetrics(PLUGIN_FILE) {}

  /// A metric of these options on these weights.
  std::unique_ptr<Metric> ready(const std::string& type, const std::string& options,
                                const NamedTensors& weights) {
    const auto path = folder_ / (type + ".safetensors");
    save_safetensors(path, weights);
    return PluginMetrics::ready(type, cat("file = ", path, "\n", options));
  }
};

/// RAFT whose flows are `factor` as large as those of hashed weights would be.
NamedTensors small_raft(float factor) {
  auto weights = testing::hashed_weights(testing::tensor_list("raft_tensors.tsv"));
  for (auto& [name, tensor] : weights) {
    if (name.find("flow_head.conv2") != std::string::npos) tensor.mul_(factor);
  }
  return weights;
}

/// Mean of the largest share of the lengths of a flow, by sorting all.
double plain_strength(const at::Tensor& flow, double share) {
  std::vector<double> lengths;
  const auto rows = flow.flatten(1).t().contiguous();
  const auto* values = rows.const_data_ptr<float>();
  for (std::int64_t i = 0; i < rows.size(0); ++i)
    lengths.push_back(std::hypot(values[2 * i], values[2 * i + 1]));
  std::sort(lengths.rbegin(), lengths.rend());
  const auto count = static_cast<std::size_t>(static_cast<double>(lengths.size()) * share);
  double sum = 0;
  for (std::size_t i = 0; i < count; ++i) sum += lengths[i];
  return sum / static_cast<double>(count);
}

const std::vector<std::string> kNames = {"a", "b", "c", "c", "d", "d", "d", "e"};

TEST_F(VBenchMotionTest, DynamicDegreeCountsPairsFasterThanTheLimit) {
  const auto weights = small_raft(0.125F);
  const vision::Raft network(vision::Weights(weights, "raft"));
  const auto film = film_of(kNames, 41, 50);
  std::vector<double> wanted;
  for (std::int64_t t = 1; t < film.size(1); ++t) {
    const auto flow =
        network.flow(network.look(film.select(1, t - 1)), network.look(film.select(1, t)), 3);
    wanted.push_back(plain_strength(flow, 0.05));
  }
  const auto moving = std::count_if(wanted.begin(), wanted.end(),
                                    [](double x) { return x > dynamic::limit(41, 50); });

  const auto all =
      measure(*ready("dynamic_degree", "iterations = 3\nevery_pair = yes\ninterval = 1\n", weights),
              film, 3);
  std::vector<double> seen;
  for (const auto& clip : all.per_frame.at("flow_strength"))
    seen.insert(seen.end(), clip.begin(), clip.end());
  ASSERT_EQ(seen.size(), 8u);
  EXPECT_TRUE(std::isnan(seen[0]));
  for (std::size_t i = 0; i < wanted.size(); ++i)
    EXPECT_NEAR(seen[i + 1], wanted[i], 1e-5 * wanted[i]);
  EXPECT_EQ(all.films.at("dynamic_degree").at(0), moving >= 2 ? 1 : 0);
}

TEST_F(VBenchMotionTest, DynamicDegreeStopsEarlyWithTheSameAnswerHoweverAFilmIsCut) {
  const auto film = film_of(kNames, 32, 40);
  for (const float factor : {0.0F, 1.0F}) {  // still, and very fast
    const auto weights = small_raft(factor);
    const auto quick = ready("dynamic_degree", "iterations = 2\ninterval = 1\n", weights);
    const auto slow =
        ready("dynamic_degree", "iterations = 2\ninterval = 1\nevery_pair = yes\n", weights);
    for (const std::int64_t length : {1, 3, 8}) {
      const auto answer = measure(*quick, film, length).films.at("dynamic_degree").at(0);
      EXPECT_EQ(answer, factor > 0 ? 1 : 0);
      EXPECT_EQ(answer, measure(*slow, film, length).films.at("dynamic_degree").at(0));
    }
  }
}

TEST_F(VBenchMotionTest, DynamicDegreeOfOneFrameIsZeroAndOfASetTheShare) {
  const auto metric = ready("dynamic_degree", "iterations = 1\n", small_raft(1));
  EXPECT_EQ(measure(*metric, film_of({"a"}, 32, 32), 2).films.at("dynamic_degree").at(0), 0);
  const auto rows = at::tensor({1.0, 1.0, 0.0, 1.0, 1.0, 1.0}, at::kDouble).view({3, 2});
  EXPECT_DOUBLE_EQ(metric->of_set(0, rows, {}), 2.0 / 3);
  EXPECT_TRUE(std::isnan(metric->of_set(0, at::empty({0, 2}, at::kDouble), {})));
}

TEST_F(VBenchMotionTest, StaticFlickerMeasuresOnlyFilmsThatStandStill) {
  const auto film = film_of(kNames, 32, 40);
  const auto levels = (film * 255).round().transpose(0, 1).contiguous();
  double change = 0;
  for (std::int64_t t = 1; t < 8; ++t)
    change += (levels[t] - levels[t - 1]).abs().mean().item<double>() / 7;

  const auto still_ones = ready("static_flicker", "iterations = 2\n", small_raft(0));
  for (const std::int64_t length : {3, 8}) {
    const auto seen = measure(*still_ones, film, length);
    EXPECT_EQ(seen.films.at("static_film").at(0), 1);
    EXPECT_NEAR(seen.films.at("static_flicker").at(0), (255 - change) / 255, 1e-6);
  }
  const auto moving = measure(*ready("static_flicker", "iterations = 2\n", small_raft(1)), film, 3);
  EXPECT_EQ(moving.films.at("static_film").at(0), 0);
  EXPECT_EQ(moving.films.count("static_flicker"), 0u);
}

TEST_F(VBenchMotionTest, MotionSmoothnessComparesOddFramesWithWhatIsBetweenTheirNeighbours) {
  auto weights = testing::hashed_weights(testing::tensor_list("amt_tensors.tsv"));
  for (auto& [name, tensor] : weights) {
    if (name == "decoder1.convblock.2.weight" || name == "comb_block.2.weight") tensor.mul_(0.0625);
  }
  const vision::Amt network(vision::Weights(weights, "amt"));
  const auto film = film_of({"a", "b", "c", "d", "e", "f"}, 34, 40);  // f is not predicted
  double gap = 0;
  for (const std::int64_t t : {1, 3}) {
    const auto guess = (network.between(film.select(1, t - 1), film.select(1, t + 1)) * 255)
                           .to(at::kByte);  // cuts off
    const auto real = (film.select(1, t) * 255).round();
    gap += (guess.to(at::kFloat) - real).abs().mean().item<double>() / 2;
  }
  const auto metric = ready("motion_smoothness", "", weights);
  for (const std::int64_t length : {1, 3, 6}) {
    const auto seen = measure(*metric, film, length);
    EXPECT_NEAR(seen.films.at("motion_smoothness").at(0), (255 - gap) / 255, 1e-6);
  }
  const auto seen = measure(*metric, film, 6).per_frame.at("motion_smoothness").at(0);
  EXPECT_EQ(std::count_if(seen.begin(), seen.end(), [](double x) { return !std::isnan(x); }), 2);
  EXPECT_FALSE(std::isnan(seen[2]));
  EXPECT_EQ(measure(*metric, film.narrow(1, 0, 2), 6).films.count("motion_smoothness"), 0u);
}

TEST_F(VBenchMotionTest, NamesFilesThatAreMissing) {
  for (const std::string type : {"dynamic_degree", "static_flicker", "motion_smoothness"}) {
    const auto metric = registry_.make<Metric>(
        Document::parse(cat("[metric.", type, "]\n"), "t.ini"), type, nullptr, "metric." + type);
    const auto need = metric->needs().at(0);
    const auto text = missing_text(need, locate(need, folder_.path()), "metric." + type);
    EXPECT_THAT(
        text, ::testing::HasSubstr(type == "motion_smoothness" ? "amt-s.pth" : "raft-things.pth"));
  }
}

}  // namespace
}  // namespace svi
