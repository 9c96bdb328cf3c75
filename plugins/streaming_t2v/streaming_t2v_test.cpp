#include "windowed_bench.hpp"
#include "windows.hpp"

namespace svi {
namespace {

struct BlendedFilms : ::testing::Test {
  test::FilmBench bench{PLUGIN_FILE, "streaming_t2v"};
};

TEST_F(BlendedFilms, AreMadeInWindowsOfEqualCost) {
  test::expect_a_film_of_windows(bench, "overlap = 1\n");
  test::expect_refusals_of_windows(bench);
  EXPECT_THAT(bench.refusal("overlap = 3\n", {9, 16, 16}, bench.sampler),
              ::testing::HasSubstr("set overlap below that"));
}

TEST(LastWriter, WritesAsTheOriginalForTheSameSeams) {
  for (const auto& step : test::golden_of("streaming_t2v")["steps"]) {
    const std::int64_t window = step["window"], overlap = step["overlap"];
    const auto begins = step["begins"].get<std::vector<std::int64_t>>();
    const auto writer = step["writer"].get<std::vector<std::int64_t>>();
    const auto frames = static_cast<std::int64_t>(writer.size());
    const auto firsts = windows::first_frames(frames, window, window - overlap);
    const auto weights =
        windows::last_writer(at::tensor(begins).unsqueeze(0), firsts, window, frames);
    auto sum = at::zeros({frames}), who = at::zeros({frames});
    for (std::size_t v = 0; v < firsts.size(); ++v) {
      const auto row = weights[0][static_cast<std::int64_t>(v)];
      sum.narrow(0, firsts[v], window).add_(row);
      who.narrow(0, firsts[v], window).add_(row * static_cast<double>(v));
    }
    EXPECT_TRUE(at::equal(sum, at::ones({frames})));  // shares sum to one
    EXPECT_TRUE(at::equal(who.to(at::kLong), at::tensor(writer)));
  }
}

TEST_F(BlendedFilms, SeamsMoveFromStepToStep) {
  // With one step of overlap there is one seam; with two it is where the draw says.
  const test::Following model;
  const auto one = bench.roll("overlap = 2\n", model, 5);
  bench.scenes[0].index = 77;  // other draws
  const auto other = bench.roll("overlap = 2\n", model, 5);
  EXPECT_FALSE(at::equal(one[3].latent, other[3].latent));
}

}  // namespace
}  // namespace svi
