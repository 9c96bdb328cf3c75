#include "method/film_bench.hpp"
#include "svi/method/chain.hpp"

namespace svi {
namespace {

struct LatentChainFilms : ::testing::Test {
  test::FilmBench bench{PLUGIN_FILE, "latent_chain"};
};

TEST_F(LatentChainFilms, TheLastLatentBeginsTheNextClipAsItIs) {
  const test::CopyingModel model;  // a clip repeats its condition
  const auto film = bench.roll("", model, 3);
  for (std::size_t i = 1; i < film.size(); ++i) {
    // Four steps lead from noise to the condition, up to rounding; no decoding is in between.
    const auto last = film[i - 1].latent.narrow(2, 2, 1);
    EXPECT_TRUE(at::allclose(film[i].latent.narrow(2, 0, 1), last, 0, 1e-5));
  }
  const auto plan = bench.method()->chain()->plan(2);
  EXPECT_EQ(plan.handover, Handover::latent);
  EXPECT_EQ(plan.motion_frames, 1);
  EXPECT_EQ(bench.method()->prompt_of(3, 10), 3);
}

TEST_F(LatentChainFilms, GoOnFromAnyClipAndDoNotDependOnTheirBatch) {
  bench.expect_goes_on("", 4);
  bench.expect_goes_on("layout = anchor_first\nstitch = drop_head\nmotion_frames = 5\n", 3);
  bench.expect_same_in_any_batch("motion_frames = 5\n", 3);
}

}  // namespace
}  // namespace svi
