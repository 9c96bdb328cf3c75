// Windows whose clean frames come from a cache, against a plain statement in fp64 that computes all
// frames of all windows.
#include "diffusion_forcing/causal_window.hpp"

#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "method/tiny_models.hpp"
#include "model/causal_oracle.hpp"
#include "svi/core/check.hpp"
#include "svi/model/wan/dit.hpp"

namespace svi {
namespace {

using test::CausalOracle;

struct CausalWindows : ::testing::Test {
  CausalWindows() {
    at::manual_seed(3);
    for (auto& [name, weight] : dit.parameters()) weight.normal_(0, 0.2);
    clean = at::randn({1, 2, 6, 4, 4});
    noisy = at::randn({1, 2, 6, 4, 4});
    image = at::randn({1, 3, 6, 4, 4});
    texts = {at::randn({1, 4, 8}), at::randn({1, 4, 8})};
  }

  /// Of a window of clean frames `past` and the noisy frame `block` at `level`; that of the block.
  at::Tensor velocity(const std::vector<std::int64_t>& past, std::int64_t block, double level,
                      const at::Tensor& text) {
    const auto own = at::tensor(past), last = at::tensor(std::vector<std::int64_t>{block});
    const auto x = at::cat({clean.index_select(2, own), noisy.index_select(2, last)}, 2);
    const auto y = at::cat({image.index_select(2, own), image.index_select(2, last)}, 2);
    auto times = at::zeros({1, x.size(2)});
    times.select(1, x.size(2) - 1).fill_(level);
    const forcing::CausalWindow model(dit, cache, own.size(0), 1);
    const auto all = model.velocity(x, times, {{part::kText, text}, {part::kImage, y}});
    written += model.written();
    EXPECT_EQ(all.narrow(2, 0, own.size(0)).abs().max().item<double>(), 0);
    return all.narrow(2, own.size(0), 1);
  }
  /// The same from nothing: `runs` are all that was computed, the last of them the noisy frame's.
  at::Tensor expected(const std::vector<CausalOracle::Run>& runs, double level,
                      const at::Tensor& text) const {
    const auto block = runs.back().frames[0];
    auto x = clean.clone();
    x.select(2, block).copy_(noisy.select(2, block));
    auto times = at::zeros({6});
    times[block] = level;
    return CausalOracle(dit)
        .velocity(at::cat({x, image}, 1)[0], times, text[0], runs)
        .narrow(1, block, 1)
        .unsqueeze(0);
  }
  static double apart(const at::Tensor& a, const at::Tensor& b) {
    return ((a - b).abs().max() / b.abs().max()).item<double>();
  }

  WanDit dit{{.in_dim = 5,
              .out_dim = 2,
              .dim = 24,
              .ffn_dim = 48,
              .freq_dim = 16,
              .text_dim = 8,
              .text_len = 6,
              .heads = 2,
              .layers = 3}};
  forcing::KeyCache cache;
  at::Tensor clean, noisy, image;
  std::vector<at::Tensor> texts;
  std::int64_t written = 0;
  at::NoGradGuard no_grad;
};

TEST_F(CausalWindows, AreThoseOfAllFramesComputedAgain) {
  constexpr double kTolerance = 1e-5;  // of fp32 against fp64
  const std::vector<CausalOracle::Run> start = {{{0, 1}, {0, 1}}};
  for (const double level : {900., 400.}) {
    for (const auto& text : texts) {
      auto runs = start;
      runs.push_back({{2}, {0, 1, 2}});
      EXPECT_LE(apart(velocity({0, 1}, 2, level, text), expected(runs, level, text)), kTolerance);
    }
  }
  EXPECT_EQ(written, 2);  // once for each text, not for each step
  for (const double level : {900., 400.}) {
    for (const auto& text : texts) {
      auto runs = start;
      runs.push_back({{2}, {0, 1, 2}});
      runs.push_back({{3}, {0, 1, 2, 3}});
      EXPECT_LE(apart(velocity({0, 1, 2}, 3, level, text), expected(runs, level, text)),
                kTolerance);
    }
  }
  EXPECT_EQ(written, 4);
  // The window rolls on: frame 1 leaves, frame 0, the sink, stays; frame 3 is new behind what
  // stays.
  const auto bytes = cache.bytes();
  for (const auto& text : texts) {
    auto runs = start;
    runs.push_back({{2}, {0, 1, 2}});
    runs.push_back({{3}, {0, 2, 3}});
    runs.push_back({{4}, {0, 2, 3, 4}});
    EXPECT_LE(apart(velocity({0, 2, 3}, 4, 700, text), expected(runs, 700, text)), kTolerance);
  }
  EXPECT_EQ(written, 6);
  EXPECT_EQ(cache.bytes(), bytes);  // three frames before, three now
}

TEST_F(CausalWindows, ComputeAgainWhatIsNotAsItWas) {
  velocity({0, 1}, 2, 500, texts[0]);
  velocity({0, 1}, 2, 300, texts[0]);
  EXPECT_EQ(written, 1);
  clean.select(2, 1).add_(1e-3);
  const auto changed = velocity({0, 1}, 2, 300, texts[0]);
  EXPECT_EQ(written, 2);
  const std::vector<CausalOracle::Run> runs = {{{0}, {0}}, {{1}, {0, 1}}, {{2}, {0, 1, 2}}};
  // Frame 0 was computed together with the old frame 1 and stays as it is; only a cache that is
  // emptied computes it again.
  EXPECT_GT(apart(changed, expected(runs, 300, texts[0])), 1e-5);
  cache.clear();
  EXPECT_EQ(cache.bytes(), 0);
  const auto again = velocity({0, 1}, 2, 300, texts[0]);
  EXPECT_LE(apart(again, expected({{{0, 1}, {0, 1}}, {{2}, {0, 1, 2}}}, 300, texts[0])), 1e-5);
}

TEST_F(CausalWindows, KeepPassesApartThatDifferInTheImageAlone) {
  const auto given = image, none = at::zeros_like(image);
  const std::vector<CausalOracle::Run> runs = {{{0, 1}, {0, 1}}, {{2}, {0, 1, 2}}};
  for (const double level : {900., 400.}) {
    for (const auto& told : {given, none}) {
      image = told;
      EXPECT_LE(apart(velocity({0, 1}, 2, level, texts[0]), expected(runs, level, texts[0])), 1e-5);
    }
  }
  EXPECT_EQ(written, 2);  // once for each pass
}

TEST_F(CausalWindows, TellTheirFirstFrameItsImageWhereItHasNotBeenTold) {
  // No sink: frame 0 leaves, and the image of the first place moves to frame 1, as films have it.
  image.narrow(2, 1, 5).fill_(0.5);
  velocity({0, 1}, 2, 500, texts[0]);
  image.select(2, 1).copy_(image.select(2, 0));
  const std::vector<CausalOracle::Run> runs = {{{1, 2}, {1, 2}}, {{3}, {1, 2, 3}}};
  EXPECT_LE(apart(velocity({1, 2}, 3, 500, texts[0]), expected(runs, 500, texts[0])), 1e-5);
  EXPECT_EQ(written, 2);
}

TEST_F(CausalWindows, KeepAsManyPassesAsAGuidanceMakes) {
  std::int64_t most = 0;
  for (int i = 0; i < 20; ++i) {
    velocity({0, 1}, 2, 500, at::randn({1, 4, 8}));
    most = std::max(most, cache.bytes());
  }
  const std::int64_t of_pass = 2 * 3 * 2 * 4 * 24 * 4;  // keys, values; blocks, frames, tokens
  EXPECT_EQ(most, 8 * of_pass);
}

TEST_F(CausalWindows, NeedAModelThatShowsFramesBehindOthers) {
  const test::CopyingModel model;
  EXPECT_THROW(forcing::CausalWindow(model, cache, 1, 1), ConfigError);
}

}  // namespace
}  // namespace svi
