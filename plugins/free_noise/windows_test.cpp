#include "windows.hpp"

#include "method/film_bench.hpp"

namespace svi {
namespace {

using Firsts = std::vector<std::int64_t>;

TEST(Windows, CoverTheFilmAndTheLastOneStandsAtItsEnd) {
  EXPECT_EQ(windows::first_frames(16, 16, 4), (Firsts{0}));
  EXPECT_EQ(windows::first_frames(21, 5, 2), (Firsts{0, 2, 4, 6, 8, 10, 12, 14, 16}));
  EXPECT_EQ(windows::first_frames(22, 5, 4), (Firsts{0, 4, 8, 12, 16, 17}));
}

TEST(Windows, SharesSumToOneAtEveryFrame) {
  for (const std::int64_t frames : {5, 17, 22}) {
    const auto firsts = windows::first_frames(frames, 5, 2);
    const auto V = static_cast<std::int64_t>(firsts.size());
    const auto shares = windows::shares(windows::triangle(5).expand({1, V, 5}), firsts, frames);
    auto sum = at::zeros({frames});
    for (std::int64_t v = 0; v < V; ++v)
      sum.narrow(0, firsts[static_cast<std::size_t>(v)], 5).add_(shares[0][v]);
    EXPECT_TRUE(at::allclose(sum, at::ones({frames}), 0, 1e-6));
    EXPECT_GT(shares.min().item<float>(), 0);
  }
}

TEST(Windows, NoiseIsPermutedWithinItsBlock) {
  const auto noise = normal({5, Purpose::test, 0, 0}, {2, 3, 5, 2, 2});
  const auto order = [](std::int64_t block, std::int64_t count) {
    return normal({5, Purpose::test, 1, static_cast<std::uint32_t>(block)}, {2, count})
        .argsort(1, false);
  };
  const auto film = windows::rescheduled(noise, 22, 4, order);
  EXPECT_TRUE(at::equal(film.narrow(2, 0, 5), noise));
  const auto sorted = [&](std::int64_t first, std::int64_t count) {  // over the frames of a block
    return std::get<0>(film.narrow(2, first, count).sort(2));
  };
  for (std::int64_t first = 5; first < 22; first += 4) {
    const auto count = std::min<std::int64_t>(4, 22 - first);
    EXPECT_TRUE(at::equal(sorted(first, count), sorted(first - 5, count))) << first;
  }
}

TEST(Windows, APromptTurnsIntoTheNextOne) {
  const std::vector<windows::Stretch> all = {{"a", 0, 8}, {"b", 8, 16}, {"c", 16, 40}};
  EXPECT_EQ(windows::turn_at(all, 0.25, 5).to, "a");
  const auto turn = windows::turn_at(all, 0.25, 9);
  EXPECT_EQ(turn.from, "a");
  EXPECT_EQ(turn.to, "b");
  EXPECT_NEAR(turn.share, 1, 1e-12);
  EXPECT_NEAR(windows::turn_at(all, 0.25, 7.5).share, 0.5, 1e-12);
  EXPECT_EQ(windows::turn_at(all, 0.25, 30).from, "c");
  EXPECT_EQ(windows::turn_at(all, 0, 7).to, "a");  // a cut
  EXPECT_EQ(windows::turn_at(all, 0, 8).from, "b");
}

TEST(WindowsOfFreeNoise, AreThoseOfTheOriginal) {
  const auto golden = test::golden_of("free_noise");
  for (const auto& weights : golden["weights"]) {
    const auto expected = test::numbers(weights);
    EXPECT_TRUE(at::equal(windows::triangle(expected.size(0)).to(at::kDouble), expected));
  }
  for (const auto& view : golden["views"])
    EXPECT_EQ(windows::first_frames(view["frames"], view["window"], view["stride"]),
              view["first"].get<Firsts>());
  for (const auto& prompts : golden["prompts"]) {
    const double frames = prompts["frames"];
    const std::vector<windows::Stretch> two = {{"a", 0, frames / 2}, {"b", frames / 2, frames}};
    for (std::size_t f = 0; f < prompts["share"].size(); ++f) {
      const auto turn = windows::turn_at(two, 0.25, static_cast<double>(f));
      const double share = turn.from == "b" ? 1 : turn.to == "a" ? 0 : turn.share;
      EXPECT_NEAR(share, prompts["share"][f].get<double>(), 1e-6) << frames << ", " << f;
    }
  }
}

TEST(WindowsOfFreeNoise, RescheduleNoiseAsTheOriginalForTheSameOrders) {
  for (const auto& run : test::golden_of("free_noise")["noise"]) {
    const std::int64_t window = run["window"], frames = run["frames"];
    const auto noise = test::numbers(run["noise"]).view({1, 2, window, 1, 2});
    const auto order = [&](std::int64_t block, std::int64_t count) {
      const auto kept = run["orders"][static_cast<std::size_t>(block)].get<Firsts>();
      EXPECT_EQ(static_cast<std::int64_t>(kept.size()), count);
      return at::tensor(kept).unsqueeze(0);
    };
    const auto film = windows::rescheduled(noise, frames, run["stride"], order);
    EXPECT_TRUE(at::equal(film, test::numbers(run["film"]).view({1, 2, frames, 1, 2})));
  }
}

}  // namespace
}  // namespace svi
