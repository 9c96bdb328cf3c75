#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "drawn_mouth.hpp"
#include "metric/recording_sink.hpp"
#include "support/late_film.hpp"
#include "svi/core/check.hpp"
#include "svi/data/clip_source.hpp"
#include "svi/plugin/loader.hpp"

namespace svi {
namespace {

constexpr std::int64_t kFilm = 40;

class MouthTest : public ::testing::Test {
 protected:
  MouthTest() { load_plugin(PLUGIN_FILE, registry_); }

  std::unique_ptr<ClipSource> world() const {
    return registry_.make<ClipSource>(
        Document::parse(cat("[data]\ntype = talking_face\nframes = ", kFilm, "\n"), "test.ini"),
        "none");
  }
  std::unique_ptr<Metric> metric() const { return registry_.make<Metric>(Document{}, "mouth"); }

  Registry registry_;
};

/// [3, kFilm, H, W] in [0, 1]
at::Tensor true_film(const ClipSource& world, std::int64_t scene, const ClipShape& shape) {
  return (*world.truth(scene, 0, kFilm, shape) + 1) / 2;
}

// The closed form: a mouth is shut at -50 dB and as wide as it gets at -15 dB, in between it opens
// with the level in decibels. Features are (dB + 60) / 30.
TEST_F(MouthTest, IsDrawnAsFarOpenAsItsFrameIsLoud) {
  const auto faces = world();
  for (const std::int64_t side : {24, 32, 64}) {
    const ClipShape shape{5, side, side, 25};
    double worst = 0, mean = 0;
    const std::int64_t count = side == 24 ? 200 : 30;
    for (std::int64_t i = 0; i < count; ++i) {
      const auto heard =
          faces->scene(i, shape).tracks["audio"].select(1, 2).select(1, 0).select(1, 0);
      const auto wanted = ((heard.to(at::kDouble) * 30 - 60 + 50) / 35).clamp(0, 1);
      const auto film = true_film(*faces, i, shape);
      const auto drawn = face::opening(film, face::find(film.select(1, 0)));
      worst = std::max(worst, (drawn - wanted).abs().max().item<double>());
      mean += (drawn - wanted).abs().mean().item<double>() / static_cast<double>(count);
    }
    RecordProperty(cat("worst", side), cat(worst));
    EXPECT_LT(worst, side == 24 ? 0.25 : 0.2) << side;
    EXPECT_LT(mean, 0.06) << side;
  }
}

TEST_F(MouthTest, OfTheTruthIsNotLateAndOfALateFilmAsLateAsItIs) {
  const auto faces = world();
  const auto mouth = metric();
  const ClipShape shape{5, 24, 24, 25};
  test::expect_lags(*mouth, "mouth_lag",
                    [&](std::int64_t i) { return true_film(*faces, i, shape); });
}

TEST_F(MouthTest, OfAnotherSoundIsNotConfident) {
  const auto faces = world();
  const auto mouth = metric();
  const ClipShape shape{5, 24, 24, 25};
  double heard = 0, deaf = 0;
  for (std::int64_t i = 0; i < 20; ++i) {
    const auto film = true_film(*faces, i, shape);
    // A film shown backwards moves as much, but not with its sound.
    const auto confidence = [&](const at::Tensor& shown) {
      const double value = measure(*mouth, shown, 4, film).clips["mouth_lag_confidence"].back();
      return std::isnan(value) ? 0 : value / 20;  // nothing correlates above 0
    };
    heard += confidence(film);
    deaf += confidence(film.flip(1));
  }
  EXPECT_GT(heard, 0.7);
  EXPECT_LT(deaf, 0.5);
}

TEST_F(MouthTest, IsNotMistakenForALighterFilmOrAStillOne) {
  const auto faces = world();
  const auto mouth = metric();
  const ClipShape shape{5, 24, 24, 25};
  const auto film = true_film(*faces, 4, shape);
  const auto place = face::find(film.select(1, 0));
  EXPECT_LT(
      (face::opening(film + 0.2, place) - face::opening(film, place)).abs().max().item<double>(),
      1e-6);
  const auto still = film.narrow(1, 0, 1).expand_as(film);
  const auto seen = measure(*mouth, still, 4, film).clips;
  EXPECT_TRUE(std::isnan(seen.at("mouth_lag").back()));
  EXPECT_TRUE(std::isnan(seen.at("mouth_lag_confidence").back()));
  EXPECT_GT(seen.at("mouth_gap").back(), 0.1);
  EXPECT_NEAR(measure(*mouth, film, 4, film).clips.at("mouth_gap").back(), 0, 1e-9);
}

}  // namespace
}  // namespace svi
