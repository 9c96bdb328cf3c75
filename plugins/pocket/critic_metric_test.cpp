#include "pocket/critic_metric.hpp"

#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "metric/plugin_metrics.hpp"
#include "metric/recording_sink.hpp"
#include "pocket/pocket_world.hpp"
#include "support/temporary_folder.hpp"
#include "svi/core/check.hpp"
#include "svi/data/damage.hpp"
#include "svi/io/safetensors.hpp"
#include "svi/metric/frechet.hpp"

namespace svi {
namespace {

/// A true film, [3, T, H, W] in [0, 1].
at::Tensor true_film(std::int64_t scene, std::int64_t frames = 8) {
  return (*PocketWorld({}).truth(scene, 0, frames, {frames, 32, 32}) + 1) / 2;
}

/// Metrics on a small critic, which nobody has trained.
class CriticMetricTest : public FileMetrics {
 protected:
  std::string some_weights() const {
    const auto path = (folder_.path() / "critic.safetensors").string();
    Critic critic({.width = 4, .features = 6});
    critic.initialise(2);
    save_safetensors(path, critic.parameters());
    return path;
  }
  std::unique_ptr<CriticMetric> ready(const std::string& weights) {
    auto metric = std::make_unique<CriticMetric>(CriticMetric::Config{weights, 2});
    make_ready(*metric);
    return metric;
  }
};

TEST_F(CriticMetricTest, SaysWhatTheCriticSaysOfEachFrame) {
  const auto path = some_weights();
  const auto film = true_film(0);

  const auto seen = measure(*ready(path), film, 4);
  const auto said = Critic::open(path).look(film.transpose(0, 1).contiguous());

  ASSERT_EQ(seen.clips.at("critic_quality").size(), 2u);
  const auto& frames = seen.per_frame.at("critic_quality")[1];
  ASSERT_EQ(frames.size(), 4u);
  double sum = 0;
  for (std::size_t t = 0; t < 4; ++t) {
    const double whole = said.psnr[static_cast<std::int64_t>(4 + t)].item<double>();
    EXPECT_NEAR(frames[t], std::clamp(whole, 10.0, 40.0), 1e-3);
    sum += frames[t];
  }
  EXPECT_NEAR(seen.clips.at("critic_quality")[1], sum / 4, 1e-12);
  EXPECT_TRUE(seen.shown.empty());  // without truth there is nothing to compare sets with
}

TEST_F(CriticMetricTest, GivesFeaturesOfFilmAndTruthAtTheSameFrames) {
  const auto metric = ready(some_weights());
  const auto film = true_film(0);
  auto truth = film.clone();
  truth.select(1, 3).zero_();

  const auto seen = measure(*metric, film, 4, truth);
  const auto &shown = seen.shown.at("critic_frechet"), &wanted = seen.truth.at("critic_frechet");

  ASSERT_EQ(shown.size(), 2u);
  ASSERT_TRUE(shown[0].sizes().equals({2, 6}));
  EXPECT_TRUE(at::allclose(shown[0][0], wanted[0][0], 1e-4, 1e-5));   // frame 1
  EXPECT_FALSE(at::allclose(shown[0][1], wanted[0][1], 1e-4, 1e-5));  // frame 3
  EXPECT_EQ(metric->quantities()[1].features, 6);
  EXPECT_EQ(metric->quantities()[1].feature_frames, 2);
}

TEST_F(CriticMetricTest, IsMissingWithoutItsFileAndSaysHowToGetIt) {
  const CriticMetric metric({folder_ / "none.safetensors", 4});
  const auto need = metric.needs().at(0);
  const auto found = locate(need, folder_.path());
  EXPECT_EQ(found.problem, "does not exist");
  const auto text = missing_text(need, found, "metric.critic");
  EXPECT_THAT(text, testing::HasSubstr(folder_ / "none.safetensors"));
  EXPECT_THAT(text, testing::HasSubstr("plugins/pocket/pocket_critic.ini"));
  EXPECT_THAT(text, testing::HasSubstr("[metric.critic] weights"));
  EXPECT_EQ(metric.quantities().size(), 2u);  // it can still be listed
  EXPECT_NE(CriticMetric::Config({.weights = ""}).problem(), "");
}

TEST_F(CriticMetricTest, RefusesAFileThatHoldsNoCritic) {
  const auto path = some_weights();
  std::filesystem::resize_file(path, 1000);
  try {
    ready(path);
    FAIL() << "expected an IoError";
  } catch (const IoError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr(path));
  }
}

TEST_F(CriticMetricTest, SharesOneNetworkBetweenMetricsOnTheSameFile) {
  const auto path = some_weights();
  const auto a = ready(path), b = ready(path);
  EXPECT_EQ(store_.size(), 1u);
}

/// The weights that come with svi.
class PocketCritic : public FileMetrics {
 protected:
  PocketCritic() { make_ready(metric_); }

  /// Mean quality over scenes, each film changed by `change(film, scene)`.
  template <class Change>
  double quality(const Change& change) const {
    constexpr std::int64_t kScenes = 24;
    double sum = 0;
    for (std::int64_t i = 0; i < kScenes; ++i) {
      const auto film = change(true_film(i, 4), i);
      sum += measure(metric_, film, 4).clips.at("critic_quality")[0] / kScenes;
    }
    return sum;
  }

  CriticMetric metric_{CriticMetric::Config{}};
};

TEST_F(PocketCritic, RanksDamagedFilmsBelowTheTruthBySeverity) {
  const auto noisy = [](double deviation) {
    return [=](const at::Tensor& film, std::int64_t i) {
      auto noise = at::empty(film.sizes(), at::kFloat);
      fill_normal({1, Purpose::test, static_cast<std::uint32_t>(i), 0},
                  noise.mutable_data_ptr<float>(), noise.numel());
      return (film + deviation * noise).clamp(0, 1);
    };
  };
  const auto blurred = [](const at::Tensor& film, std::int64_t) {
    return at::avg_pool2d(film.transpose(0, 1), {5, 5}, {1, 1}, {2, 2}, false, false)
        .transpose(0, 1);
  };

  const double truth = quality([](const at::Tensor& film, std::int64_t) { return film; });

  EXPECT_GT(truth, 33);
  EXPECT_LT(quality(blurred), truth - 6);
  EXPECT_NEAR(quality(noisy(0.1)), 20.5, 2.5);
  EXPECT_NEAR(quality(noisy(0.03)), 30.5, 3);
}

TEST_F(PocketCritic, SeesNoDamageInAFrozenFilmOrAnotherScene) {
  const double truth = quality([](const at::Tensor& film, std::int64_t) { return film; });
  const double other =
      quality([](const at::Tensor&, std::int64_t i) { return true_film(i + 50, 4); });

  EXPECT_NEAR(truth, other, 2);
}

TEST_F(PocketCritic, MovesTheSetOfDamagedFramesAwayFromTheTrueOnes) {
  std::vector<at::Tensor> truth, others, noisy;
  for (std::int64_t i = 0; i < 48; ++i) {
    const auto film = true_film(i, 4), other = true_film(100 + i, 4);
    const auto bad = (film + 0.05 * at::sin(at::arange(32) * 2.5)).clamp(0, 1);
    const auto seen = measure(metric_, bad, 4, film);
    noisy.push_back(seen.shown.at("critic_frechet")[0]);
    truth.push_back(seen.truth.at("critic_frechet")[0]);
    others.push_back(measure(metric_, other, 4, other).truth.at("critic_frechet")[0]);
  }

  const double same = frechet_distance(at::cat(others), at::cat(truth));
  const double different = frechet_distance(at::cat(noisy), at::cat(truth));

  EXPECT_GT(different, 2 * same);
}

}  // namespace
}  // namespace svi
