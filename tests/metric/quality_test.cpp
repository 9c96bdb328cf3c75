#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "recording_sink.hpp"
#include "svi/core/check.hpp"
#include "svi/metric/builtins.hpp"
#include "svi/metric/psnr.hpp"
#include "svi/metric/ssim.hpp"
#include "svi/plugin/registry.hpp"
#include "svi/tensor/random.hpp"

namespace svi {
namespace {

at::Tensor noise(std::uint32_t stream, at::IntArrayRef sizes) {
  return (normal({1, Purpose::test, stream, 0}, sizes) * 0.1 + 0.5).clamp(0, 1);
}

/// SSIM by its definition, one window at a time.
double slow_ssim(const at::Tensor& a, const at::Tensor& b) {
  double weights[11][11], total = 0;
  for (int i = 0; i < 11; ++i) {
    for (int j = 0; j < 11; ++j) {
      weights[i][j] = std::exp(-((i - 5) * (i - 5) + (j - 5) * (j - 5)) / (2 * 1.5 * 1.5));
      total += weights[i][j];
    }
  }
  const auto x = a.to(at::kDouble).contiguous(), y = b.to(at::kDouble).contiguous();
  const auto p = x.accessor<double, 3>(), q = y.accessor<double, 3>();
  double sum = 0;
  int count = 0;
  for (int c = 0; c < 3; ++c) {
    for (int r = 0; r + 11 <= a.size(1); ++r) {
      for (int s = 0; s + 11 <= a.size(2); ++s) {
        double m[5] = {};
        for (int i = 0; i < 11; ++i) {
          for (int j = 0; j < 11; ++j) {
            const double w = weights[i][j] / total, u = p[c][r + i][s + j], v = q[c][r + i][s + j];
            m[0] += w * u;
            m[1] += w * v;
            m[2] += w * u * u;
            m[3] += w * v * v;
            m[4] += w * u * v;
          }
        }
        const double k1 = 1e-4, k2 = 9e-4;
        sum += (2 * m[0] * m[1] + k1) * (2 * (m[4] - m[0] * m[1]) + k2) /
               ((m[0] * m[0] + m[1] * m[1] + k1) * (m[2] - m[0] * m[0] + m[3] - m[1] * m[1] + k2));
        ++count;
      }
    }
  }
  return sum / count;
}

TEST(Psnr, IsMinusTwentyDecibelsPerTenfoldError) {
  const auto truth = at::full({3, 8, 8}, 0.5);

  EXPECT_NEAR(psnr(truth + 0.1, truth), 20, 1e-5);
  EXPECT_NEAR(psnr(truth + 0.01, truth), 40, 1e-4);
  EXPECT_THROW(psnr(truth, at::full({3, 8, 9}, 0.5)), Error);
  EXPECT_THROW(psnr(truth, truth.to(at::kByte)), Error);
}

TEST(Ssim, AgreesWithItsDefinition) {
  const auto a = noise(0, {3, 16, 20}), b = noise(1, {3, 16, 20});

  EXPECT_NEAR(ssim(a, b), slow_ssim(a, b), 1e-10);
}

TEST(Ssim, TakesPicturesOfOneWindow) {
  const auto a = noise(1, {3, 11, 13}), b = noise(2, {3, 11, 13});
  EXPECT_NEAR(ssim(a, b), slow_ssim(a, b), 1e-9);
  EXPECT_NEAR(ssim(a.transpose(1, 2), b.transpose(1, 2)), slow_ssim(a, b), 1e-9);
}

TEST(Quality, NeedsTheTruthForEverything) {
  for (const auto& quantity : SsimMetric({}).quantities()) EXPECT_TRUE(quantity.needs_truth);
  for (const auto& quantity : PsnrMetric({}).quantities()) EXPECT_TRUE(quantity.needs_truth);
}

TEST(Ssim, SaysWhichSizeItNeeds) {
  const auto small = noise(0, {3, 8, 8});

  EXPECT_THROW(ssim(small, small), Error);
  EXPECT_THROW(ssim_y(small, small), Error);
}

TEST(PsnrMetric, GivesEachFrameAndTheirMean) {
  const auto truth = at::full({3, 4, 16, 16}, 0.5);
  auto film = truth.clone();
  film.select(1, 1) += 0.1;
  film.select(1, 3) += 0.01;

  const auto seen = measure(PsnrMetric({}), film, 2, truth);

  const auto& frames = seen.per_frame.at("psnr");
  EXPECT_EQ(frames[0][0], kPsnrCeiling);
  EXPECT_NEAR(frames[0][1], 20, 1e-4);
  EXPECT_NEAR(seen.clips.at("psnr")[1], (kPsnrCeiling + 40) / 2, 1e-3);
}

TEST(SsimMetric, IsUndefinedWithoutTruth) {
  const auto film = noise(0, {3, 4, 16, 16});

  const auto seen = measure(SsimMetric({}), film, 4);
  const auto same = measure(SsimMetric({}), film, 4, film);

  EXPECT_TRUE(std::isnan(seen.clips.at("ssim")[0]));
  EXPECT_TRUE(std::isnan(seen.clips.at("ssim_y")[0]));
  EXPECT_NEAR(same.clips.at("ssim")[0], 1, 1e-9);
}

TEST(BuiltInMetrics, AreRegisteredWithUniqueQuantities) {
  Registry registry;
  Registrar registrar(registry, "built-in");
  register_metric(registrar);
  std::map<std::string, int> names;

  for (const auto& [name, registration] : registry.kinds().at("metric")) {
    const auto component = registration.make(nullptr, nullptr);
    const auto* metric = dynamic_cast<const Metric*>(component.get());
    ASSERT_NE(metric, nullptr) << name;
    for (const auto& quantity : metric->quantities()) {
      EXPECT_EQ(++names[quantity.name], 1) << quantity.name;
      EXPECT_FALSE(quantity.unit.empty());
      EXPECT_FALSE(quantity.meaning.empty());
    }
  }

  EXPECT_EQ(names.count("seam_jump"), 1u);
  EXPECT_EQ(names.count("psnr"), 1u);
}

}  // namespace
}  // namespace svi
