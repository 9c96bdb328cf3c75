#include "windowed_bench.hpp"

namespace svi {
namespace {

struct FreeNoiseFilms : ::testing::Test {
  test::FilmBench bench{PLUGIN_FILE, "free_noise"};
};

TEST_F(FreeNoiseFilms, AreMadeInWindowsOfEqualCost) {
  test::expect_a_film_of_windows(bench, "stride = 2\n");
  test::expect_refusals_of_windows(bench);
  EXPECT_THAT(bench.refusal("stride = 4\n", {9, 16, 16}, bench.sampler),
              ::testing::HasSubstr("would leave a gap"));
}

TEST_F(FreeNoiseFilms, FusedAttentionTakesOnePassAStepOfTheWholeFilm) {
  const std::string options = "stride = 2\nfusion = attention\nprompts = first\n";
  const test::Obeying model;
  EXPECT_EQ(bench.roll(options, model, 6).back().evaluations, 4);
  EXPECT_EQ(bench.method(options)->needs().parts, std::vector<std::string>{"attention_windows"});
  bench.expect_goes_on(options, 3);
  bench.expect_same_in_any_batch(options, 3);
  EXPECT_THROW(bench.roll("fusion = attention\n", model, 2), ConfigError);  // two prompts
}

/// Stays with the noise.
class Still final : public VelocityModel {
 public:
  at::Tensor velocity(const at::Tensor& noisy, const at::Tensor&, const Condition&) const override {
    return at::zeros_like(noisy);
  }
};

TEST_F(FreeNoiseFilms, NoiseRepeatsUnlessItIsToldNotTo) {
  const Still model;
  const auto noise_of = [&](const std::string& options) {
    std::vector<at::Tensor> pieces;
    for (const auto& clip : bench.roll(options, model, 4)) pieces.push_back(clip.latent);
    return at::cat(pieces, 2);  // [1, z, 9, h, w]
  };
  const auto repeats = noise_of("stride = 1\n"), fresh = noise_of("reschedule = off\n");
  // Blocks of one frame have one order: each frame is that of a window earlier.
  EXPECT_TRUE(at::allclose(repeats.narrow(2, 3, 6), repeats.narrow(2, 0, 6), 0, 1e-6));
  EXPECT_FALSE(at::allclose(fresh.narrow(2, 3, 6), fresh.narrow(2, 0, 6), 0, 1e-1));
}

}  // namespace
}  // namespace svi
