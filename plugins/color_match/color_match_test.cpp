#include <gmock/gmock.h>

#include "method/film_bench.hpp"
#include "moments.hpp"
#include "svi/core/check.hpp"

namespace svi {
namespace {

using color_match::channel_map;
using color_match::Moments;
using color_match::moved;

at::Tensor sample_of(std::uint32_t stream, at::IntArrayRef sizes) {
  return normal({9, Purpose::test, stream, 0}, sizes).to(at::kDouble);
}
at::Tensor covariance_of(const at::Tensor& x) {  // [c, N]
  return at::cov(x);
}

TEST(ColourMoments, TheMovedSampleHasTheMomentsOfTheReference) {
  const auto mix = sample_of(3, {3, 3});
  const auto have = at::matmul(mix, sample_of(1, {2, 3, 500})) + 0.3;
  const auto want = 0.5 * sample_of(2, {2, 3, 400}) - 0.1;
  const auto mean = moved(have, channel_map(have, want, Moments::mean));
  EXPECT_TRUE(at::allclose(mean.mean(2), want.mean(2), 0, 1e-12));
  EXPECT_TRUE(at::allclose(mean.std(2), have.std(2), 0, 1e-12));
  const auto both = moved(have, channel_map(have, want, Moments::mean_std));
  EXPECT_TRUE(at::allclose(both.std(2), want.std(2), 0, 1e-12));
  const auto all = moved(have, channel_map(have, want, Moments::covariance));
  EXPECT_TRUE(at::allclose(all.mean(2), want.mean(2), 0, 1e-12));
  for (const auto b : {0, 1})
    EXPECT_TRUE(at::allclose(covariance_of(all[b]), covariance_of(want[b]), 0, 1e-10));
}

TEST(ColourMoments, TheMapIsTheIdentityForEqualMomentsAndSymmetric) {
  const auto x = sample_of(1, {1, 3, 300});
  for (const auto moments : {Moments::mean, Moments::mean_std, Moments::covariance}) {
    EXPECT_TRUE(at::allclose(moved(x, channel_map(x, x, moments)), x, 0, 1e-10));
    EXPECT_TRUE(at::equal(moved(x, channel_map(x, x + 1, moments), 0), x));  // strength 0
  }
  // Optimal transport between normal distributions is a symmetric matrix.
  const auto map = channel_map(x, at::matmul(sample_of(4, {3, 3}), sample_of(2, {1, 3, 300})),
                               Moments::covariance);
  EXPECT_TRUE(at::allclose(map.matrix, map.matrix.transpose(1, 2), 0, 1e-10));
}

TEST(ColourMoments, AConstantChannelKeepsItsScaleAndStaysFinite) {
  auto x = sample_of(1, {1, 3, 300});
  x.select(1, 2).fill_(0.25);
  const auto want = sample_of(2, {1, 3, 300});
  for (const auto moments : {Moments::mean_std, Moments::covariance}) {
    const auto y = moved(x, channel_map(x, want, moments));
    EXPECT_TRUE(at::isfinite(y).all().item<bool>());
    EXPECT_LT(y.select(1, 2).std().item<double>(), 1e-6);
    EXPECT_NEAR(y.select(1, 2).mean().item<double>(), want.select(1, 2).mean().item<double>(),
                1e-9);
  }
}

TEST(ColourMoments, AreThoseOfColorMatcher) {
  for (const auto& map : test::golden_of("color_match")["maps"]) {
    const auto pixels = [&](const char* name) {  // [1, 3, N]
      return test::numbers(map[name]).view({-1, 3}).t().unsqueeze(0);
    };
    const auto source = pixels("source");
    const auto made = moved(source, channel_map(source, pixels("reference"), Moments::covariance));
    EXPECT_LT((made - pixels("moved")).abs().max().item<double>(), 1e-6);
  }
}

/// Repeats its condition, each clip brighter, and remembers the first frame that it was told.
class Brightening final : public VelocityModel {
 public:
  mutable at::Tensor told;  // [B, z, 1, h, w]
  at::Tensor velocity(const at::Tensor& noisy, const at::Tensor& timestep,
                      const Condition& condition) const override {
    told = condition[part::kImage].narrow(1, 4, 2).narrow(2, 0, 1);
    return (noisy - told - 0.3) / (timestep / 1000).view({-1, 1, 1, 1, 1});
  }
};

struct ColorMatchFilms : ::testing::Test {
  test::FilmBench bench{PLUGIN_FILE, "color_match"};
};

TEST_F(ColorMatchFilms, AClipIsToldFramesWithTheColoursOfTheImage) {
  const Brightening model;
  const auto film = bench.roll("", model, 3);
  const auto tail = film[1].video.narrow(2, 8, 1);
  const auto image = bench.scenes[0].image.view({1, 3, 1, 16, 16});
  const auto matched = moved(tail, channel_map(tail, image, Moments::covariance));
  EXPECT_TRUE(at::allclose(matched.mean(at::IntArrayRef{2, 3, 4}),
                           image.mean(at::IntArrayRef{2, 3, 4}), 0, 1e-5));
  EXPECT_TRUE(at::allclose(model.told, bench.vae.encode(matched.clamp(-1, 1)), 0, 1e-5));
  // The film shows the clip as it was made.
  EXPECT_TRUE(at::equal(film[1].frames, film[1].video.narrow(2, 0, film[1].frames.size(2))));
}

TEST_F(ColorMatchFilms, AtTheSeamAClipsFirstFrameHasTheMomentsOfWhatItBeganFrom) {
  const Brightening model;
  const auto film = bench.roll("at = seam\nmoments = mean_std\n", model, 3);
  for (std::size_t i = 1; i < film.size(); ++i) {
    const auto want = bench.vae.encode(film[i - 1].video.narrow(2, 8, 1)).flatten(2);
    const auto have = film[i].latent.narrow(2, 0, 1).flatten(2);
    EXPECT_TRUE(at::allclose(have.mean(2), want.mean(2), 0, 1e-5));
    EXPECT_TRUE(at::allclose(have.std(2), want.std(2), 0, 1e-5));
  }
}

TEST_F(ColorMatchFilms, GoOnFromAnyClipAndDoNotDependOnTheirBatch) {
  for (const auto* options : {"", "at = seam\nmoments = mean_std\n", "motion_frames = 5\n",
                              "at = seam\nmoments = mean\nmotion_frames = 5\n"}) {
    bench.expect_goes_on(options, 4);
    bench.expect_same_in_any_batch(options, 2);  // covariances magnify rounding, too
  }
}

TEST_F(ColorMatchFilms, RefuseWhatTheyCannotMatch) {
  using ::testing::HasSubstr;
  EXPECT_EQ(bench.refusal("", {9, 16, 16}, bench.sampler), "accepted");
  EXPECT_THAT(bench.refusal("handover = latent\n", {9, 16, 16}, bench.sampler),
              HasSubstr("set at = seam"));
  EXPECT_THAT(bench.refusal("at = seam\nlayout = anchor_first\nstitch = drop_head\n"
                            "motion_frames = 5\n",
                            {9, 16, 16}, bench.sampler),
              HasSubstr("Set layout = video"));
}

}  // namespace
}  // namespace svi
