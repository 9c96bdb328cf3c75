#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "svi/core/check.hpp"
#include "svi/io/weight_files.hpp"
#include "vision/flow/amt.hpp"
#include "vision/flow/correlation.hpp"
#include "vision/flow/fast_conv.hpp"
#include "vision/flow/line_conv.hpp"
#include "vision/flow/raft.hpp"
#include "vision/flow/warp.hpp"
#include "vision/hashed_frame.hpp"

namespace svi::vision {
namespace {

using ::testing::HasSubstr;

NamedTensors flow_fixture(const std::string& name) {
  return open_weights(std::string(SVI_SOURCE_DIR "/tests/data/vision/") + name);
}

double largest_gap(const at::Tensor& a, const at::Tensor& b) {
  return (a - b).abs().max().item<double>();
}

/// As official, but for the module that a name would need.
std::string without_module(const std::string& name) { return name.substr(7); }

NamedTensors hashed_raft() {
  NamedTensors weights;
  for (const auto& [name, sizes] : testing::tensor_list("raft_tensors.tsv")) {
    const auto plain = without_module(name);  // a shortcut's batch norm is there under two names
    const auto twin = plain.find("norm3");
    const auto source = twin == std::string::npos
                            ? plain
                            : plain.substr(0, twin) + "downsample.1" + plain.substr(twin + 5);
    weights.emplace_back(name, testing::hashed_weight(source, sizes));
  }
  return weights;
}

NamedTensors hashed_amt() {
  auto weights = testing::hashed_weights(testing::tensor_list("amt_tensors.tsv"));
  for (auto& [name, tensor] : weights) {
    if (name == "decoder1.convblock.2.weight" || name == "comb_block.2.weight")
      tensor.mul_(0.0625);  // as make_flow_fixtures.py does
  }
  return weights;
}

const Raft& raft() {
  static const Raft network(Weights(hashed_raft(), "raft"));
  return network;
}

TEST(RaftNetwork, AgreesWithTheOfficialOne) {
  const auto first = raft().look(testing::hashed_frame("raft.first", 131, 150));
  const auto second = raft().look(testing::hashed_frame("raft.second", 131, 150));
  const auto flow = raft().flow(first, second, 4);  // [2, 136, 152]
  ASSERT_EQ(flow.sizes(), at::IntArrayRef({2, 136, 152}));
  const auto wanted = flow_fixture("raft.safetensors").at(0).second;
  const auto some = flow.slice(1, 0, at::nullopt, 5).slice(2, 0, at::nullopt, 3);
  EXPECT_GT(wanted.abs().mean().item<double>(), 1);  // px: a flow to speak of
  EXPECT_LT(largest_gap(some, wanted), 1e-4 * wanted.abs().max().item<double>());
}

TEST(RaftNetwork, AgreesWithTorchvisionsOnAFileByItsNames) {
  const Raft network(Weights(
      testing::hashed_weights(testing::tensor_list("raft_torchvision_tensors.tsv")), "raft"));
  const auto first = network.look(testing::hashed_frame("raft.first", 128, 136));
  const auto second = network.look(testing::hashed_frame("raft.second", 128, 136));
  const auto wanted = flow_fixture("raft_torchvision.safetensors").at(0).second;
  const auto flow = network.flow(first, second, 2).slice(1, 0, at::nullopt, 5);
  EXPECT_LT(largest_gap(flow.slice(2, 0, at::nullopt, 3), wanted),
            1e-4 * wanted.abs().max().item<double>());
}

TEST(RaftNetwork, ReadsAFileWithoutPrefixOrTwins) {
  NamedTensors weights;
  for (const auto& [name, tensor] : hashed_raft()) {
    if (name.find("norm3") == std::string::npos && name.find("num_batches") == std::string::npos)
      weights.emplace_back(without_module(name), tensor);
  }
  const Raft other(Weights(weights, "raft"));
  const auto frame = testing::hashed_frame("raft.first", 64, 72);
  EXPECT_TRUE(
      at::equal(other.look(frame).features.levels[0], raft().look(frame).features.levels[0]));
}

TEST(RaftNetwork, RefusesAnotherFileByNameAndTensor) {
  auto weights = hashed_raft();
  weights.at(0).second = at::zeros({64, 3, 3, 3});
  try {
    Raft(Weights(weights, "some.pth"));
    FAIL() << "a wrong size was taken";
  } catch (const IoError& error) {
    EXPECT_THAT(error.what(), HasSubstr("some.pth: fnet.conv1.weight is [64, 3, 3, 3]"));
  }
}

TEST(AmtNetwork, AgreesWithTheOfficialOne) {
  const Amt network(Weights(hashed_amt(), "amt"));
  const auto frame = network.between(testing::hashed_frame("amt.first", 134, 141),
                                     testing::hashed_frame("amt.second", 134, 141));
  ASSERT_EQ(frame.sizes(), at::IntArrayRef({3, 134, 141}));
  const auto wanted = flow_fixture("amt.safetensors").at(0).second;
  const auto some = frame.slice(1, 0, at::nullopt, 3).slice(2, 0, at::nullopt, 3);
  EXPECT_LT((wanted.eq(0) + wanted.eq(1)).to(at::kFloat).mean().item<double>(), 0.3);
  EXPECT_LT(largest_gap(some, wanted), 1e-4);
}

/// A convolution of hashed weights [out, in, kernel...] and the sum of its bias.
Conv hashed_conv(const std::vector<std::int64_t>& sizes, bool biased) {
  NamedTensors weights = {{"c.weight", testing::hashed_weight("c.weight", sizes)}};
  if (biased) weights.emplace_back("c.bias", testing::hashed_weight("c.bias", {sizes[0]}));
  Weights stored(weights, "here");
  return {
      stored,
      "c",
      sizes[1],
      sizes[0],
      {.kernel = {sizes[2], sizes[3]}, .padding = {sizes[2] / 2, sizes[3] / 2}, .biased = biased}};
}

TEST(FastConv, IsThePlainConvolutionForAnyChannels) {
  for (const auto& [in, out] :
       std::vector<std::pair<std::int64_t, std::int64_t>>{{16, 32}, {20, 18}, {60, 60}, {3, 8}}) {
    const auto conv = hashed_conv({out, in, 3, 3}, true);
    const auto x = testing::hashed("x", {1, in, 13, 10}).contiguous(at::MemoryFormat::ChannelsLast);
    EXPECT_LT(largest_gap(FastConv(conv)(x), conv(x)), 1e-5) << in;
  }
}

TEST(FastConv, NormalisesOverPlacesInPlace) {
  const auto x = (testing::hashed("x", {1, 24, 13, 10}) * 3 + 7);
  const auto wanted = at::instance_norm(x, {}, {}, {}, {}, true, 0.1, 1e-5, false);
  const auto last = [&] { return x.contiguous(at::MemoryFormat::ChannelsLast).clone(); };
  EXPECT_LT(largest_gap(normed_over_places(last(), true), wanted), 1e-5);
  EXPECT_LT(largest_gap(normed_over_places(last()), wanted.relu()), 1e-5);
  EXPECT_LT(largest_gap(normed_over_places(x.clone()), wanted.relu()), 1e-5);
}

TEST(LineConv, IsThePlainConvolutionAlongRowsAndColumns) {
  for (const bool across : {true, false}) {
    const auto conv = hashed_conv({32, 48, across ? 1 : 5, across ? 5 : 1}, /*biased=*/false);
    for (const auto& [h, w] :
         std::vector<std::pair<std::int64_t, std::int64_t>>{{9, 11}, {1, 3}, {60, 41}}) {
      const auto x = testing::hashed("x", {1, 48, h, w});
      const auto add = testing::hashed("add", {1, 32, h, w});
      EXPECT_LT(largest_gap(LineConv(conv)(x, add), conv(x) + add), 2e-5) << h << " " << w;
    }
  }
}

/// Features of random places, and places of random windows, some far outside.
struct Places {
  at::Tensor first = testing::hashed("first", {1, 20, 9, 11});
  at::Tensor second = testing::hashed("second", {1, 20, 9, 11});
  at::Tensor places = testing::hashed("places", {1, 2, 9, 11}) * 9 + 5;
};

TEST(CorrelationLookup, IsThatOfTheWholeVolumeWhereverPlacesLie) {
  const Places some;
  const auto from = feature_pyramid(some.first, 4), to = feature_pyramid(some.second, 4);
  Correlation windows(from, to, 3, Correlation::Way::windows);
  Correlation volume(from, to, 3, Correlation::Way::volume);
  for (const double step : {0.0, 0.01, 0.7, -30.0}) {  // kept windows, moved ones, all outside
    const auto places = some.places + step;
    const auto a = windows.lookup(places), b = volume.lookup(places);
    ASSERT_EQ(a.sizes(), at::IntArrayRef({1, 4 * 49, 9, 11}));
    EXPECT_LT(largest_gap(a, b), 2e-5) << step;
  }
}

TEST(CorrelationLookup, MovesToTheRightAlongAWindowsFirstAxis) {
  auto one = at::zeros({1, 16, 8, 8});
  one[0][0][2][5] = 4;  // row 2, column 5
  const auto from = feature_pyramid(at::ones({1, 16, 8, 8}), 1), to = feature_pyramid(one, 1);
  for (const auto way : {Correlation::Way::windows, Correlation::Way::volume}) {
    Correlation correlation(from, to, 4, way);
    const auto places = at::tensor({4.0F, 3.0F}).view({1, 2, 1, 1}).expand({1, 2, 8, 8});
    const auto window = correlation.lookup(places).select(2, 0).select(2, 0).view({9, 9});
    EXPECT_FLOAT_EQ(window[4 + 1][4 - 1].item<float>(),
                    1);  // one to the right, one up; 4 / sqrt(16)
    EXPECT_FLOAT_EQ(window.abs().sum().item<float>(), 1);
  }
}

TEST(CorrelationLookup, IsNaNAtNaNAndZeroOnLevelsThatHaveNoPlace) {
  const auto map = feature_pyramid(at::ones({1, 16, 3, 3}), 4);  // 3, 1, 0, 0
  Correlation correlation(map, map, 1);
  auto places = at::ones({1, 2, 3, 3});
  places[0][0][0][0] = std::numeric_limits<float>::quiet_NaN();
  const auto answer = correlation.lookup(places).squeeze(0).flatten(1);  // [36, 9]
  EXPECT_TRUE(answer.select(1, 0).isnan().any().item<bool>());
  EXPECT_EQ(answer.slice(0, 18).slice(1, 1).abs().max().item<float>(), 0);
  EXPECT_FLOAT_EQ(answer[4][4].item<float>(), 4);
}

TEST(Warp, DrawsAPictureBackAlongAFlow) {
  const auto picture = at::arange(12, at::kFloat).view({1, 1, 3, 4});
  auto flow = at::zeros({1, 2, 3, 4});
  flow.select(1, 0).fill_(0.5);
  const auto moved = warped(picture, flow, Outside::edge)[0][0];
  EXPECT_FLOAT_EQ(moved[1][1].item<float>(), 5.5);
  EXPECT_FLOAT_EQ(moved[2][3].item<float>(), 11);
  EXPECT_NEAR(warped(picture, flow, Outside::zero)[0][0][2][3].item<float>(), 5.5, 1e-5);
}

TEST(Warp, PadsHalfBeforeRoundedDownAndTakesItAway) {
  const auto picture = testing::hashed("picture", {1, 3, 13, 9});
  const EdgePadding padding(13, 9, 8);
  const auto padded = padding(picture);
  EXPECT_EQ(padded.sizes(), at::IntArrayRef({1, 3, 16, 16}));
  EXPECT_EQ(padding.top, 1);
  EXPECT_EQ(padding.left, 3);
  EXPECT_TRUE(at::equal(padding.removed(padded), picture));
}

}  // namespace
}  // namespace svi::vision
