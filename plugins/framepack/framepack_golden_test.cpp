#include "history.hpp"
#include "method/film_bench.hpp"
#include "svi/model/wan/positions.hpp"

namespace svi {
namespace {

// Official tokens are those of Conv3d, one after the other; ours of means and one projection.
TEST(FramePackGolden, TokensAndRotationsAreThoseOfTheOriginal) {
  const auto golden = test::golden_of("framepack");
  const auto weight = test::numbers(golden["weight"]).view({4, 16, 1, 2, 2});
  const auto bias = test::numbers(golden["bias"]);
  const std::function<at::Tensor(const at::Tensor&)> embed = [&](const at::Tensor& x) {
    return at::conv3d(x, weight, bias, at::IntArrayRef{1, 2, 2}).flatten(2).transpose(1, 2);
  };
  for (const auto& group : golden["groups"]) {
    const std::int64_t frames = group["frames"], rate = group["rate"];
    const auto latent = test::numbers(group["latent"]).view({1, 16, frames, 6, 10});
    const auto indices = at::arange(frames, at::kDouble) + group["first"].get<double>();
    const auto made = framepack::history_tokens(latent, indices, rate, {1, 2, 2}, embed);
    const auto tokens = test::numbers(group["tokens"]).view({1, -1, 4});
    ASSERT_EQ(made.tokens.sizes(), tokens.sizes());
    EXPECT_LT((made.tokens - tokens).abs().max().item<double>(), 1e-6) << rate;
    const auto [cos, sin] = wan_rope(12, made.positions);  // four channels an axis
    EXPECT_LT((cos - test::numbers(group["cos"]).view({-1, 6})).abs().max().item<double>(), 1e-6);
    EXPECT_LT((sin - test::numbers(group["sin"]).view({-1, 6})).abs().max().item<double>(), 1e-6);
  }
}

TEST(FramePackGolden, SectionsAreToldThePlacesOfTheOriginal) {
  const auto golden = test::golden_of("framepack");
  for (const auto& film : golden["inverted"]) {
    const std::int64_t sections = film["sections"], window = film["window"];
    std::vector<std::vector<double>> told;
    for (auto place = sections - 1; place >= 0; --place) {
      const auto gap = framepack::told_gap(place, sections) * window;
      told.push_back(framepack::history_indices(true, gap, window, 19));
    }
    EXPECT_EQ(told, film["told"].get<std::vector<std::vector<double>>>()) << sections;
  }
  // The original counts the frames of a rate upwards, we count away from the section.
  auto official = golden["forward"].get<std::vector<double>>();
  const auto begin = official.begin();
  std::sort(begin + 2, begin + 4, std::greater<>());
  std::sort(begin + 4, official.end(), std::greater<>());
  EXPECT_EQ(framepack::history_indices(false, 19, 9, 19), official);
}

// The mean of two rotations is the one of their middle, shortened by the cosine of half their
// distance.
TEST(PooledPositions, AreTheMeanOfRotations) {
  const auto pair = at::tensor({2.0, 5.0}, at::kDouble).view({1, 1, 2}).expand({3, 1, 2});
  const auto [cos, sin] = wan_rope(12, pair);
  const auto middle = at::full({3, 1}, 3.5, at::kDouble), half = at::full({3, 1}, 1.5, at::kDouble);
  const auto [c, s] = wan_rope(12, middle);
  const auto shorter = wan_rope(12, half).first;
  EXPECT_TRUE(at::allclose(cos, c * shorter, 0, 1e-6));
  EXPECT_TRUE(at::allclose(sin, s * shorter, 0, 1e-6));
  const auto one = wan_rope(12, at::full({3, 1, 4}, 3.5, at::kDouble));
  EXPECT_TRUE(at::allclose(one.first, c, 0, 1e-6));
}

}  // namespace
}  // namespace svi
