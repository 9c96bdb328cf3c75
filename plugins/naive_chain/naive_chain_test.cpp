#include "method/film_bench.hpp"

namespace svi {
namespace {

struct NaiveChainFilms : ::testing::Test {
  test::FilmBench bench{PLUGIN_FILE, "naive_chain"};
};

TEST_F(NaiveChainFilms, EachClipBeginsWithTheLastFrameOfTheOneBefore) {
  const test::CopyingModel model;  // a clip repeats its condition
  const auto film = bench.roll("", model, 3);
  ASSERT_EQ(film.size(), 3u);
  for (std::size_t i = 1; i < film.size(); ++i) {
    const auto last = film[i - 1].video.narrow(2, 8, 1);
    const auto told = bench.vae.encode(last);
    EXPECT_TRUE(at::allclose(film[i].latent.narrow(2, 0, 1), told, 1e-5, 1e-5));
  }
  EXPECT_EQ(bench.method()->frames({9, 16, 16}, 3), 3 * 8 + 1);
  EXPECT_EQ(film.back().evaluations, 3 * 4);  // a pass a step
}

TEST_F(NaiveChainFilms, GoOnFromAnyClipAndDoNotDependOnTheirBatch) {
  bench.expect_goes_on("", 4);
  bench.expect_same_in_any_batch("motion_frames = 5\n", 3);
}

}  // namespace
}  // namespace svi
