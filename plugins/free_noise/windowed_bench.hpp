#pragma once

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "method/film_bench.hpp"
#include "svi/core/check.hpp"
#include "svi/sampler/unipc.hpp"

namespace svi::test {

/// Leads to its text's number everywhere, whatever it sees; remembers whether it was told an image.
class Obeying final : public VelocityModel {
 public:
  mutable std::vector<bool> shown;  // of each pass
  at::Tensor velocity(const at::Tensor& noisy, const at::Tensor& timestep,
                      const Condition& condition) const override {
    const auto& y = condition[part::kImage];
    shown.push_back(y.narrow(1, 0, 1).max().item<float>() > 0);
    const auto text = condition[part::kText].select(1, 0).select(1, 0).view({-1, 1, 1, 1, 1});
    return (noisy - text) / (timestep / 1000).view({-1, 1, 1, 1, 1});
  }
};

/// What every method of windows promises. Windows of three latent frames, of which neighbours share
/// one, in films of C clips: 2 C + 1 latent frames and C windows.
inline void expect_a_film_of_windows(const FilmBench& bench, const std::string& options) {
  constexpr std::int64_t kClips = 6, kSteps = 4;
  const Obeying model;
  const auto film = bench.roll(options, model, kClips);
  ASSERT_EQ(film.size(), 6u);
  EXPECT_EQ(film[0].frames.size(2), 9);
  EXPECT_EQ(film[1].first_frame, 9);
  EXPECT_EQ(film.back().evaluations, kSteps * kClips);  // a second costs the same in any film
  // Windows agree where their prompt does: mixed by shares that sum to one they change nothing.
  EXPECT_LT((film[4].latent - 1).abs().max().item<double>(), 1e-5);
  // The first window is told "one" alone; with it the second one begins, which is told a mixture.
  EXPECT_LT(film[0].latent.narrow(2, 0, 2).abs().max().item<double>(), 1e-5);
  EXPECT_GT(film[0].latent.narrow(2, 2, 1).min().item<double>(), -1e-5);
  for (std::size_t pass = 0; pass < model.shown.size(); ++pass)
    EXPECT_EQ(model.shown[pass], pass % kClips == 0) << pass;

  const Obeying shown;
  bench.roll(options + "image = every\n", shown, 2);
  for (const bool image : shown.shown) EXPECT_TRUE(image);

  bench.expect_goes_on(options, 3);
  bench.expect_same_in_any_batch(options, 3);
  EXPECT_TRUE(bench.method(options)->needs().whole_length);
}

/// Refusals that they share.
inline void expect_refusals_of_windows(const FilmBench& bench) {
  using ::testing::HasSubstr;
  EXPECT_EQ(bench.refusal("", {9, 16, 16}, bench.sampler), "accepted");
  EXPECT_THAT(bench.refusal("window = 4\n", {9, 16, 16}, bench.sampler), HasSubstr("at most that"));
  EXPECT_THAT(bench.refusal("", {1, 16, 16}, bench.sampler), HasSubstr("at least 5 frames"));
  EXPECT_THAT(bench.refusal("", {9, 16, 16}, UniPcSampler({})), HasSubstr("type = euler"));
}

}  // namespace svi::test
