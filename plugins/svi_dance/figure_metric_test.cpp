#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "support/late_film.hpp"
#include "svi/core/check.hpp"
#include "svi/data/clip_source.hpp"
#include "svi/plugin/loader.hpp"

namespace svi {
namespace {

constexpr std::int64_t kDance = 40;

class FigureTest : public ::testing::Test {
 protected:
  FigureTest() {
    load_plugin(PLUGIN_FILE, registry_);
    world_ = registry_.make<ClipSource>(
        Document::parse(cat("[data]\ntype = stick_figure\nframes = ", kDance, "\n"), "test.ini"),
        "none");
    metric_ = registry_.make<Metric>(Document{}, "figure");
  }

  at::Tensor film(std::int64_t scene) const {
    return (*world_->truth(scene, 0, kDance, {5, 24, 24, 25}) + 1) / 2;
  }

  Registry registry_;
  std::unique_ptr<ClipSource> world_;
  std::unique_ptr<Metric> metric_;
};

TEST_F(FigureTest, OfTheTruthIsNotLateAndOfALateFilmAsLateAsItIs) {
  test::expect_lags(*metric_, "figure_lag", [&](std::int64_t i) { return film(i); });
}

TEST_F(FigureTest, OfAnotherDanceIsNotConfident) {
  double told = 0, blind = 0;
  for (std::int64_t i = 0; i < 20; ++i) {
    const auto truth = film(i);
    told += measure(*metric_, truth, 4, truth).clips["figure_lag_confidence"].back() / 20;
    blind += measure(*metric_, film(i + 20), 4, truth).clips["figure_lag_confidence"].back() / 20;
  }
  EXPECT_GT(told, 0.5);
  EXPECT_LT(blind, told / 2);
}

}  // namespace
}  // namespace svi
