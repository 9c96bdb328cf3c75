#include "method/film_bench.hpp"
#include "svi/core/check.hpp"
#include "svi/method/chain.hpp"

namespace svi {
namespace {

/// Stays with the noise; remembers the condition of every pass.
class Watching final : public VelocityModel {
 public:
  mutable std::vector<at::Tensor> told;  // [B, s + z, F, h, w]
  at::Tensor velocity(const at::Tensor& noisy, const at::Tensor&,
                      const Condition& condition) const override {
    told.push_back(condition[part::kImage].clone());
    return at::zeros_like(noisy);
  }
};

struct NoiseAugmentationFilms : ::testing::Test {
  test::FilmBench bench{PLUGIN_FILE, "noise_augmentation"};
  std::vector<at::Tensor> told(const std::string& options, std::int64_t clips = 2) const {
    const Watching model;
    bench.roll(options, model, clips);
    return model.told;
  }
};

TEST_F(NoiseAugmentationFilms, LevelZeroIsTheChainAndLevelOneIsNoiseAlone) {
  const test::Following model;
  const auto chain = OptionChain(ChainOptions{});
  std::vector<at::Tensor> plain;
  roll_out(bench.studio(chain, model, 3), {bench.scenes[0]},
           [&](const RolledClip& clip) { plain.push_back(clip.latent); });
  const auto film = bench.roll("level = 0\n", model, 3);
  for (std::size_t i = 0; i < film.size(); ++i) EXPECT_TRUE(at::equal(film[i].latent, plain[i]));

  const auto noise = told("level = 1\n");
  const auto known = noise[4].narrow(1, 4, 2).narrow(2, 0, 1);  // clip 1, its first step
  EXPECT_NEAR(known.mean().item<double>(), 0, 0.5);
  EXPECT_NEAR(known.std().item<double>(), 1, 0.5);
}

TEST_F(NoiseAugmentationFilms, MixesNoiseIntoTheKnownFramesAlone) {
  constexpr double kLevel = 0.25;
  const auto noised = told("level = 0.25\n", 1), pure = told("level = 1\n", 1),
             clean = told("level = 0\n", 1);
  ASSERT_EQ(noised.size(), 4u);  // a pass a step
  for (std::size_t step = 0; step < 4; ++step) {
    const auto expected = (1 - kLevel) * clean[step] + kLevel * pure[step];
    EXPECT_TRUE(at::allclose(noised[step], expected, 0, 1e-6));
    // The mask, and frames that nobody knows, stay.
    EXPECT_TRUE(at::equal(noised[step].narrow(1, 0, 4), clean[step].narrow(1, 0, 4)));
    EXPECT_TRUE(at::equal(noised[step].narrow(2, 1, 2), clean[step].narrow(2, 1, 2)));
  }
}

TEST_F(NoiseAugmentationFilms, NoiseIsFreshInEachStepOrOnceForAClip) {
  const auto steps = told("level = 0.5\n", 1), clip = told("level = 0.5\nfresh = clip\n", 2);
  EXPECT_FALSE(at::equal(steps[0], steps[1]));
  EXPECT_TRUE(at::equal(clip[0], clip[3]));
  EXPECT_FALSE(at::equal(clip[0].narrow(2, 0, 1), clip[4].narrow(2, 0, 1)));
}

TEST_F(NoiseAugmentationFilms, GoOnFromAnyClipAndDoNotDependOnTheirBatch) {
  for (const auto* options : {"level = 0.3\n", "level = 0.3\nfresh = clip\nmotion_frames = 5\n"}) {
    bench.expect_goes_on(options, 4);
    bench.expect_same_in_any_batch(options, 3);
  }
  EXPECT_THROW(bench.method("level = 1.5\n"), ConfigError);
  EXPECT_EQ(bench.method()->chain(), nullptr);  // training would forget the noise
}

}  // namespace
}  // namespace svi
