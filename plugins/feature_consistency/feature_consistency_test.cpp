#include <ATen/ATen.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "metric/plugin_metrics.hpp"
#include "metric/recording_sink.hpp"
#include "svi/core/check.hpp"
#include "svi/core/sha256.hpp"
#include "svi/io/safetensors.hpp"
#include "svi/tensor/random.hpp"

namespace svi {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kSide = 63;

/// Names and sizes of torchvision's AlexNet, as published.
const std::vector<std::pair<std::string, std::vector<std::int64_t>>> kOfficial = {
    {"features.0.weight", {64, 3, 11, 11}},
    {"features.0.bias", {64}},
    {"features.3.weight", {192, 64, 5, 5}},
    {"features.3.bias", {192}},
    {"features.6.weight", {384, 192, 3, 3}},
    {"features.6.bias", {384}},
    {"features.8.weight", {256, 384, 3, 3}},
    {"features.8.bias", {256}},
    {"features.10.weight", {256, 256, 3, 3}},
    {"features.10.bias", {256}},
    {"classifier.6.bias", {1000}}};

/// Random weights that keep the size of what passes through them.
NamedTensors some_weights() {
  NamedTensors weights;
  for (std::uint32_t i = 0; i < kOfficial.size(); ++i) {
    const auto& [name, sizes] = kOfficial[i];
    std::int64_t inputs = 1;
    for (std::size_t d = 1; d < sizes.size(); ++d) inputs *= sizes[d];
    const auto values = normal({7, Purpose::test, i, 0}, sizes);
    weights.emplace_back(name, values * (sizes.size() == 1 ? 0.1 : std::sqrt(2.0 / inputs)));
  }
  return weights;
}

/// A picture or a layer's output in plain fp64 numbers.
struct Volume {
  std::int64_t C, H, W;
  std::vector<double> values = std::vector<double>(static_cast<std::size_t>(C * H * W));

  double& at(std::int64_t c, std::int64_t y, std::int64_t x) {
    return values[static_cast<std::size_t>((c * H + y) * W + x)];
  }
};

Volume convolved(Volume in, const at::Tensor& weight, const at::Tensor& bias, std::int64_t stride,
                 std::int64_t padding) {
  const auto size = weight.size(2);
  const auto* w = weight.const_data_ptr<float>();
  Volume out{weight.size(0), (in.H + 2 * padding - size) / stride + 1,
             (in.W + 2 * padding - size) / stride + 1};
  for (std::int64_t o = 0; o < out.C; ++o) {
    for (std::int64_t y = 0; y < out.H; ++y) {
      for (std::int64_t x = 0; x < out.W; ++x) {
        double sum = bias[o].item<double>();
        for (std::int64_t c = 0; c < in.C; ++c) {
          for (std::int64_t i = 0; i < size; ++i) {
            for (std::int64_t j = 0; j < size; ++j) {
              const auto v = y * stride + i - padding, u = x * stride + j - padding;
              if (v < 0 || u < 0 || v >= in.H || u >= in.W) continue;
              sum +=
                  static_cast<double>(w[((o * in.C + c) * size + i) * size + j]) * in.at(c, v, u);
            }
          }
        }
        out.at(o, y, x) = std::max(0.0, sum);
      }
    }
  }
  return out;
}

Volume pooled(Volume in) {
  Volume out{in.C, (in.H - 3) / 2 + 1, (in.W - 3) / 2 + 1};
  for (std::int64_t c = 0; c < out.C; ++c) {
    for (std::int64_t y = 0; y < out.H; ++y) {
      for (std::int64_t x = 0; x < out.W; ++x) {
        double largest = -1e30;
        for (std::int64_t i = 0; i < 9; ++i)
          largest = std::max(largest, in.at(c, 2 * y + i / 3, 2 * x + i % 3));
        out.at(c, y, x) = largest;
      }
    }
  }
  return out;
}

/// Resized by the two nearest pixels on each axis, centres of pixels at halves, and normalised.
Volume prepared(const at::Tensor& frame, std::int64_t H, std::int64_t W) {  // [3, h, w]
  const std::array<double, 3> mean = {.485, .456, .406}, deviation = {.229, .224, .225};
  Volume out{3, H, W};
  const auto place = [](std::int64_t i, std::int64_t from, std::int64_t to) {
    const double x =
        (static_cast<double>(i) + .5) * static_cast<double>(from) / static_cast<double>(to) - .5;
    return std::max(0.0, x);
  };
  for (std::int64_t c = 0; c < 3; ++c) {
    for (std::int64_t y = 0; y < H; ++y) {
      for (std::int64_t x = 0; x < W; ++x) {
        const double v = place(y, frame.size(1), H), u = place(x, frame.size(2), W);
        const auto top = static_cast<std::int64_t>(v), left = static_cast<std::int64_t>(u);
        const double b = v - static_cast<double>(top), r = u - static_cast<double>(left);
        const auto pixel = [&](std::int64_t i, std::int64_t j) {
          return frame[c][std::min(i, frame.size(1) - 1)][std::min(j, frame.size(2) - 1)]
              .item<double>();
        };
        const double value = (1 - b) * ((1 - r) * pixel(top, left) + r * pixel(top, left + 1)) +
                             b * ((1 - r) * pixel(top + 1, left) + r * pixel(top + 1, left + 1));
        const auto k = static_cast<std::size_t>(c);
        out.at(c, y, x) = (value - mean[k]) / deviation[k];
      }
    }
  }
  return out;
}

std::vector<double> plain_features(const at::Tensor& frame, std::int64_t H, std::int64_t W) {
  const auto weights = some_weights();
  const auto layer = [&](Volume x, std::size_t i, std::int64_t stride, std::int64_t padding) {
    return convolved(std::move(x), weights[i].second, weights[i + 1].second, stride, padding);
  };
  auto x = pooled(layer(prepared(frame, H, W), 0, 4, 2));
  x = pooled(layer(std::move(x), 2, 1, 2));
  for (const std::size_t i : {4, 6, 8}) x = layer(std::move(x), i, 1, 1);
  std::vector<double> means(static_cast<std::size_t>(x.C));
  for (std::int64_t c = 0; c < x.C; ++c) {
    for (std::int64_t i = 0; i < x.H * x.W; ++i)
      means[static_cast<std::size_t>(c)] += x.at(c, i / x.W, i % x.W);
  }
  return means;  // sums: a cosine does not know the difference
}

double plain_cosine(const std::vector<double>& a, const std::vector<double>& b) {
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return ab / std::sqrt(aa * bb);
}

/// Frames that change a lot: [3, T, H, W] in [0, 1].
at::Tensor some_film(std::int64_t frames, std::int64_t height, std::int64_t width) {
  const auto noise = normal({3, Purpose::test, 99, 0}, {3, frames, height, width});
  const auto shades = normal({3, Purpose::test, 98, 0}, {3, frames, 1, 1});
  return (0.5 + 0.2 * noise + 0.3 * shades).clamp(0, 1);
}

class FeatureConsistencyTest : public PluginMetrics {
 protected:
  FeatureConsistencyTest() : PluginMetrics(PLUGIN_FILE) {}

  std::unique_ptr<Metric> make(const std::string& options) {
    return PluginMetrics::make("feature_consistency", options);
  }
  std::string save(const NamedTensors& weights) {
    const auto path = folder_ / "alexnet.safetensors";
    save_safetensors(path, weights);
    return path;
  }
  /// A metric on that file.
  std::unique_ptr<Metric> ready(const std::string& path) {
    return PluginMetrics::ready("feature_consistency",
                                cat("file = ", path, "\nside = ", kSide, "\n"));
  }
};

TEST_F(FeatureConsistencyTest, AgreesWithPlainLoopsOverAlexNetsLayers) {
  const auto film = some_film(4, 40, 52);
  std::vector<std::vector<double>> features;
  for (std::int64_t t = 0; t < 4; ++t)  // 52 * 63 / 40 = 81.9
    features.push_back(plain_features(film.select(1, t), kSide, 81));

  const auto seen = measure(*ready(save(some_weights())), film, 3);

  const auto& first = seen.per_frame.at("feature_consistency").at(0);
  const auto& second = seen.per_frame.at("feature_consistency").at(1);
  ASSERT_EQ(first.size(), 3u);
  EXPECT_TRUE(std::isnan(first[0]));
  std::vector<double> wanted;
  for (std::size_t t = 1; t < 4; ++t) {
    wanted.push_back(
        (plain_cosine(features[t - 1], features[t]) + plain_cosine(features[0], features[t])) / 2);
    EXPECT_LT(wanted.back(), 0.999);  // frames that differ: the test can fail
    EXPECT_NEAR(t < 3 ? first[t] : second[0], wanted.back(), 2e-6) << t;
  }
  EXPECT_NEAR(seen.films.at("feature_consistency").at(0), (wanted[0] + wanted[1] + wanted[2]) / 3,
              2e-6);
}

TEST_F(FeatureConsistencyTest, DoesNotDependOnHowAFilmIsCutIntoClips) {
  const auto metric = ready(save(some_weights()));
  const auto film = some_film(7, 70, 63);
  const auto whole = measure(*metric, film, 7), parts = measure(*metric, film, 2);
  EXPECT_NEAR(whole.films.at("feature_consistency").at(0),
              parts.films.at("feature_consistency").at(0), 1e-6);
}

TEST_F(FeatureConsistencyTest, IsOneForAFrozenFilmAndUndefinedForOneFrame) {
  const auto metric = ready(save(some_weights()));
  const auto frozen = some_film(1, 63, 63).expand({3, 5, 63, 63});
  EXPECT_NEAR(measure(*metric, frozen, 2).films.at("feature_consistency").at(0), 1, 1e-9);
  EXPECT_EQ(measure(*metric, some_film(1, 63, 63), 2).films.count("feature_consistency"), 0u);
}

TEST_F(FeatureConsistencyTest, CountsEveryPairOnceInASetOfFilms) {
  const auto metric = make("");  // no network is needed for it
  const auto rows = at::tensor({1.5, 2.0, 0.4, 1.0}, at::kDouble).view({2, 2});
  EXPECT_DOUBLE_EQ(metric->of_set(0, rows, {}), 1.9 / 3);
  EXPECT_TRUE(std::isnan(metric->of_set(0, at::empty({0, 2}, at::kDouble), {})));
}

TEST_F(FeatureConsistencyTest, SharesOneNetworkBetweenMetricsOnTheSameFile) {
  const auto path = save(some_weights());
  const auto a = ready(path), b = ready(path);
  EXPECT_EQ(store_.size(), 1u);
}

TEST_F(FeatureConsistencyTest, IsMissingWithoutItsFileAndSaysWhichItIs) {
  const auto metric = make("");
  const auto need = metric->needs().at(0);
  const auto found = locate(need, folder_.path());
  EXPECT_EQ(found.problem, "does not exist");
  const auto text = missing_text(need, found, "metric.feature_consistency");
  EXPECT_THAT(text, HasSubstr("alexnet-owt-7be5be79.pth, 244408911 bytes, SHA-256 beginning with "
                              "7be5be79"));
  EXPECT_THAT(text, HasSubstr("download.pytorch.org"));
  EXPECT_THAT(text, HasSubstr("[metric.feature_consistency] file"));
}

TEST_F(FeatureConsistencyTest, IsMissingWithAnotherFileThanTheOneAskedFor) {
  const auto path = save(some_weights());
  const auto hash = sha256_file(path);
  const auto wanted = [&](const std::string& sha256) {
    return locate(make(cat("file = ", path, "\nsha256 = ", sha256, "\n"))->needs().at(0), "");
  };
  EXPECT_EQ(wanted(hash).problem, "");
  EXPECT_EQ(wanted(hash.substr(0, 6)).problem, "");
  EXPECT_THAT(wanted(std::string(64, 'a')).problem, HasSubstr("its SHA-256 is " + hash));
  EXPECT_THROW(make("sha256 = abc\n"), ConfigError);
  EXPECT_THROW(make("file = x\nsha256 = ABC\n"), ConfigError);
}

TEST_F(FeatureConsistencyTest, RefusesWeightsOfOtherSizesByTheirName) {
  auto weights = some_weights();
  weights[2].second = at::zeros({192, 64, 3, 3});
  try {
    ready(save(weights));
    FAIL() << "wrong sizes were taken";
  } catch (const IoError& error) {
    EXPECT_THAT(error.what(), HasSubstr("alexnet.safetensors"));
    EXPECT_THAT(error.what(), HasSubstr("features.3.weight"));
  }
  weights = some_weights();
  weights.erase(weights.begin() + 5);
  try {
    ready(save(weights));
    FAIL() << "a missing tensor was overlooked";
  } catch (const IoError& error) {
    EXPECT_THAT(error.what(), HasSubstr("features.6.bias"));
  }
}

}  // namespace
}  // namespace svi
