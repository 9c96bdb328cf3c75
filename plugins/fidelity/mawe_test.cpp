#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "fidelity/mawe_error.hpp"
#include "metric/plugin_metrics.hpp"
#include "metric/recording_sink.hpp"
#include "svi/core/check.hpp"
#include "svi/io/safetensors.hpp"
#include "vision/flow/raft.hpp"
#include "vision/hashed_frame.hpp"

namespace svi {
namespace {

at::Tensor levels_of(const std::string& name, std::int64_t height, std::int64_t width) {
  return (testing::hashed_frame(name, height, width) * 255).round().to(at::kByte);
}

TEST(ForwardWarpError, IsZeroForAFrameThatMovesAsTheFlowSays) {
  const auto wide = levels_of("wide", 6, 12);
  const auto before = wide.narrow(2, 2, 8), now = wide.narrow(2, 0, 8);  // two to the right
  auto flow = at::zeros({2, 6, 8});
  flow[0].fill_(2.4);
  EXPECT_EQ(fidelity::forward_warp_error(before, now, flow), 0);
  flow[0].fill_(2.6);
  EXPECT_GT(fidelity::forward_warp_error(before, now, flow), 1);
  flow[0].fill_(80);  // nothing arrives
  EXPECT_EQ(fidelity::forward_warp_error(before, now, flow), 0);
}

TEST(ForwardWarpError, KeepsTheLastThatArrivesAndCountsOnlyArrivals) {
  auto before = at::zeros({3, 1, 4}, at::kByte), now = at::full({3, 1, 4}, 10, at::kByte);
  before.select(2, 0).fill_(4);
  before.select(2, 1).fill_(7);
  auto flow = at::zeros({2, 1, 4});
  flow[0][0][0] = 3;
  flow[0][0][1] = 2;
  flow[0][0][2] = -5;  // outside
  flow[0][0][3] = std::numeric_limits<float>::quiet_NaN();
  // Both arrive at place 3; the second stays.
  EXPECT_DOUBLE_EQ(fidelity::forward_warp_error(before, now, flow), 9);
  flow[0][0][1] = 0.5;  // to place 2, the even one of 1 and 2
  EXPECT_DOUBLE_EQ(fidelity::forward_warp_error(before, now, flow), (36.0 + 9.0) / 2);
}

class MaweTest : public PluginMetrics {
 protected:
  MaweTest() : PluginMetrics(PLUGIN_FILE) {}
};

TEST_F(MaweTest, IsTheErrorOverTheMotionOfEachPair) {
  const auto weights = testing::hashed_weights(testing::tensor_list("raft_tensors.tsv"));
  const std::string path = folder_ / "raft.safetensors";
  save_safetensors(path, weights);
  const auto metric = ready("mawe", cat("file = ", path, "\nside = 0\niterations = 2\n"));

  std::vector<at::Tensor> frames;
  for (const auto* name : {"a", "b", "c"}) frames.push_back(testing::hashed_frame(name, 35, 44));
  const vision::Raft network(vision::Weights(weights, "raft"));
  double wanted = 0;
  for (std::size_t t = 0; t < 2; ++t) {
    const auto whole = network.flow(network.look(frames[t]), network.look(frames[t + 1]), 2);
    const auto flow = whole.narrow(1, 2, 35).narrow(2, 2, 44);  // padded by 5 rows and 4 columns
    const auto error = fidelity::forward_warp_error(
        (frames[t] * 255).round().to(at::kByte), (frames[t + 1] * 255).round().to(at::kByte), flow);
    wanted += error / (9.5 * flow.norm(2, 0).mean().item<double>()) / 2;
  }
  for (const std::int64_t length : {1, 2, 3}) {
    const auto seen = measure(*metric, at::stack(frames, 1), length);
    EXPECT_NEAR(seen.films.at("mawe").at(0), wanted, 1e-5 * wanted);
  }
  EXPECT_TRUE(std::isnan(measure(*metric, at::stack(frames, 1), 3).per_frame.at("mawe")[0][0]));
}

}  // namespace
}  // namespace svi
