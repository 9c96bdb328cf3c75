#include "svi/train/optimizer.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "svi/config/document.hpp"
#include "svi/config/parse.hpp"
#include "svi/core/check.hpp"
#include "svi/tensor/random.hpp"

namespace svi {
namespace {

at::Tensor gaussian(std::uint32_t stream, std::int64_t count = 50) {
  return normal({1, Purpose::test, stream, 0}, {count});
}

TEST(Optimizer, EqualsAdamWWrittenOut) {
  const OptimizerConfig config{.learning_rate = 0.01, .weight_decay = 0.1, .clip_norm = 3};
  auto parameters = gaussian(0);
  auto expected = parameters.to(at::kDouble);
  auto m = at::zeros_like(expected), v = at::zeros_like(expected);
  Optimizer optimizer(config, parameters, 100);

  for (std::uint32_t t = 1; t <= 20; ++t) {
    auto gradient = gaussian(t);
    auto g = gradient.to(at::kDouble);
    const double norm = g.norm().item<double>();
    if (norm > 3) g = g * (3 / norm);
    m = 0.9 * m + 0.1 * g;
    v = 0.999 * v + 0.001 * g * g;
    expected = expected * (1 - 0.01 * 0.1) -
               0.01 * (m / (1 - std::pow(0.9, t))) / ((v / (1 - std::pow(0.999, t))).sqrt() + 1e-8);
    const auto report = optimizer.update(gradient);
    EXPECT_NEAR(report.gradient_norm, norm, 1e-4);
  }

  EXPECT_TRUE(at::allclose(parameters.to(at::kDouble), expected, 1e-5, 1e-6));
}

TEST(Optimizer, LeavesAGradientWithinTheLimitAlone) {
  Optimizer optimizer({.clip_norm = 10}, gaussian(0), 100);  // 50 normal numbers: a norm of 7
  auto within = gaussian(1), beyond = gaussian(1) * 2;
  optimizer.update(within);
  optimizer.update(beyond);

  EXPECT_TRUE(at::equal(within, gaussian(1)));
  EXPECT_NEAR(beyond.norm().item<double>(), 10, 1e-4);
}

TEST(Optimizer, TakesAnyLimitOfTheNorm) {
  for (const double limit : {0.0, 0.5}) {
    const auto text = cat("[training]\nclip_norm = ", limit, "\n");
    const auto document = Document::parse(text, "x.ini");
    EXPECT_EQ(parse_config<OptimizerConfig>(document, "training").clip_norm, limit);
  }
}

TEST(Optimizer, WarmsUpThenFollowsACosine) {
  const OptimizerConfig config{.learning_rate = 1,
                               .schedule = LearningRateSchedule::cosine,
                               .warmup_steps = 4,
                               .final_fraction = 0.1};
  const Optimizer optimizer(config, at::zeros({1}), 104);

  EXPECT_DOUBLE_EQ(optimizer.learning_rate(0), 0.25);
  EXPECT_DOUBLE_EQ(optimizer.learning_rate(3), 1);
  EXPECT_DOUBLE_EQ(optimizer.learning_rate(4), 1);
  EXPECT_NEAR(optimizer.learning_rate(54), 0.55, 1e-12);
  EXPECT_NEAR(optimizer.learning_rate(104), 0.1, 1e-12);
  EXPECT_NEAR(optimizer.learning_rate(500), 0.1, 1e-12);
}

TEST(Optimizer, GoesOnFromItsState) {
  auto a = gaussian(0), b = gaussian(0);
  Optimizer whole({}, a, 100), resumed({}, b, 100);
  for (std::uint32_t t = 1; t <= 10; ++t) {
    auto gradient = gaussian(t);
    whole.update(gradient);
    if (t == 5) {
      b.copy_(a);
      resumed.load(whole.state());
    }
    if (t > 5) {
      gradient = gaussian(t);
      resumed.update(gradient);
    }
  }

  EXPECT_TRUE(at::equal(a, b));
}

TEST(Optimizer, RefusesAGradientThatIsNotFinite) {
  auto parameters = at::ones({3});
  Optimizer optimizer({}, parameters, 100);
  auto gradient = at::full({3}, std::numeric_limits<double>::infinity());

  EXPECT_THROW(optimizer.update(gradient), Error);
  EXPECT_TRUE(at::equal(parameters, at::ones({3})));
}

TEST(Optimizer, NamesWhatAStateLacks) {
  Optimizer optimizer({}, at::ones({3}), 100), other({}, at::ones({4}), 100);

  EXPECT_THROW(optimizer.load({}), IoError);
  EXPECT_THROW(optimizer.load(other.state()), IoError);
}

}  // namespace
}  // namespace svi
