#include "svi/measure/film_meter.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "svi/core/check.hpp"

namespace svi {
namespace {

/// Counts what it sees; at the end it gives frames shown, mean time of frames, and rows of
/// features.
class Counter final : public Metric {
 public:
  std::vector<Quantity> quantities() const override {
    return {
        {.name = "length", .unit = "frames", .meaning = "", .per_clip = false, .per_film = true},
        {.name = "time", .unit = "s", .meaning = "", .per_frame = true, .per_clip = false},
        {.name = "sums",
         .unit = "1",
         .meaning = "",
         .per_clip = false,
         .film_features = 2,
         .film_rows = 3,
         .set_value = SetValue::own},
        {.name = "both", .unit = "1", .meaning = "", .per_film = true}};
  }
  std::unique_ptr<MetricSession> open() const override { return std::make_unique<Session>(); }

 private:
  class Session final : public MetricSession {
    void add(const ClipView& clip, MetricSink& sink) override {
      std::vector<double> times;
      for (std::int64_t t = 0; t < clip.frames.size(1); ++t) times.push_back(clip.time(t));
      sink.frames(1, times);
      sink.clip(3, static_cast<double>(++clips_));
      EXPECT_THROW(sink.clip(0, 1), Error);  // of films only
      EXPECT_THROW(sink.film(0, 1), Error);  // not over yet
      EXPECT_THROW(sink.film_features(2, at::zeros({1, 2}), {}), Error);
    }
    void finish(const FilmView& film, MetricSink& sink) override {
      EXPECT_EQ(film.clips, clips_);
      EXPECT_EQ(film.file, film.fps == 4 ? "a.mp4" : "");
      sink.film(0, static_cast<double>(film.frames));
      sink.film(3, film.fps);
      sink.film_features(2, at::full({2, 2}, static_cast<double>(film.frames), at::kDouble), {});
      EXPECT_THROW(sink.film(1, 1), Error);
      EXPECT_THROW(sink.frames(1, {1}), Error);  // no clip is shown any more
      EXPECT_THROW(sink.film_features(2, at::zeros({4, 2}), {}), Error);
      EXPECT_THROW(sink.film_features(2, at::zeros({1, 3}), {}), Error);
    }
    std::int64_t clips_ = 0;
  };
};

/// Films of given lengths in clips of three frames, one film after the other.
class Lengths final : public FilmSource {
 public:
  explicit Lengths(std::vector<std::int64_t> lengths) : lengths_(std::move(lengths)) {}
  std::int64_t films() const override { return static_cast<std::int64_t>(lengths_.size()); }
  void run(const std::function<void(std::int64_t, const ClipView&)>& on_clip) override {
    for (std::size_t i = 0; i < lengths_.size(); ++i) {
      for (std::int64_t first = 0; first < lengths_[i]; first += 3) {
        const auto frames = at::zeros({3, std::min<std::int64_t>(3, lengths_[i] - first), 2, 2});
        on_clip(static_cast<std::int64_t>(i), {first / 3, first, frames, {}, "", fps(i), file(i)});
      }
    }
  }
  static std::string_view file(std::size_t film) { return film == 0 ? "a.mp4" : ""; }
  static double fps(std::size_t film) { return film == 0 ? 4 : 10; }

 private:
  std::vector<std::int64_t> lengths_;
};

std::vector<std::unique_ptr<Metric>> counter() {
  std::vector<std::unique_ptr<Metric>> metrics;
  metrics.push_back(std::make_unique<Counter>());
  return metrics;
}

TEST(FilmMeter, GivesWhatOnlyWholeFilmsHaveAfterTheirLastClip) {
  Lengths films({7, 0, 3});
  const auto scores = measure_films(films, counter(), 3, 7);

  EXPECT_TRUE(at::equal(scores.film[0], at::tensor({7.0, 0.0, 3.0}, at::kDouble)));
  EXPECT_TRUE(at::equal(scores.film[3], at::tensor({4.0, 0.0, 10.0}, at::kDouble)));
  EXPECT_FALSE(scores.clip[0].defined());
  EXPECT_FALSE(scores.film[1].defined());
  EXPECT_FALSE(scores.film_features[0].defined());
}

TEST(FilmMeter, KnowsTheTimeOfEveryFrameOfFilmsOfDifferentRates) {
  Lengths films({7, 0, 3});
  const auto times = measure_films(films, counter(), 3, 7).frame[1];  // [films, frames]

  EXPECT_TRUE(at::equal(times[0], at::arange(7, at::kDouble) / 4));
  EXPECT_TRUE(at::equal(times[2].narrow(0, 0, 3), at::arange(3, at::kDouble) / 10));
  EXPECT_TRUE(times[1].isnan().all().item<bool>());
  EXPECT_TRUE(times[2].narrow(0, 3, 4).isnan().all().item<bool>());
}

TEST(FilmMeter, LeavesRowsThatAFilmDidNotGiveUndefined) {
  Lengths films({7, 0, 3});
  const auto scores = measure_films(films, counter(), 3, 7);

  ASSERT_TRUE(scores.film_features[2].sizes().equals({3, 3, 2}));
  EXPECT_TRUE(scores.film_features[2][0].narrow(0, 0, 2).eq(7).all().item<bool>());
  EXPECT_TRUE(scores.film_features[2].select(1, 2).isnan().all().item<bool>());
  EXPECT_TRUE(scores.true_film_features[2].isnan().all().item<bool>());
}

TEST(FilmMeter, RefusesFilmsThatAreLongerThanTheirRoom) {
  Lengths films({7});
  EXPECT_THROW(measure_films(films, counter(), 3, 6), Error);
  EXPECT_THROW(measure_films(films, counter(), 2, 7), Error);
}

}  // namespace
}  // namespace svi
