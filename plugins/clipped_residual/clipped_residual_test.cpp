#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "svi/core/check.hpp"
#include "svi/error/error_source.hpp"
#include "svi/plugin/loader.hpp"
#include "svi/tensor/random.hpp"

namespace svi {
namespace {

class ClippedResidualTest : public testing::Test {
 protected:
  ClippedResidualTest() { load_plugin(PLUGIN_FILE, registry_); }

  std::vector<BankedError> extract(const std::string& options, const at::Tensor& difference) {
    const auto document =
        Document::parse("[error_source]\ntype = clipped_residual\n" + options, "test.ini");
    const auto source = registry_.make<ErrorSource>(document, "none");
    const auto zeros = at::zeros_like(difference);
    const auto sigma = at::full({difference.size(0)}, 0.25);
    return source->extract(StepView{zeros, zeros, zeros, zeros, difference, sigma, {}, {}});
  }

  Registry registry_;
};

TEST_F(ClippedResidualTest, ShrinksOnlyResidualsAboveItsLimit) {
  auto difference = normal({1, Purpose::test, 0, 0}, {2, 3, 4, 5, 6});
  difference = difference / difference.square().mean({1, 2, 3, 4}, true).sqrt();
  difference[1] *= 10;

  const auto errors = extract("max_rms = 2\n", difference);

  EXPECT_TRUE(at::allclose(errors[0].residual, difference[0]));
  EXPECT_TRUE(at::allclose(errors[1].residual, difference[1] * 0.2));
}

TEST_F(ClippedResidualTest, ScalesAsTheOneStepErrorDoes) {
  const auto difference = normal({1, Purpose::test, 0, 0}, {1, 3, 4, 5, 6});

  const auto errors = extract("", difference);

  EXPECT_TRUE(at::allclose(errors[0].at(ErrorEnd::data), -0.25 * difference[0]));
  EXPECT_TRUE(at::allclose(errors[0].at(ErrorEnd::noise), 0.75 * difference[0]));
}

TEST_F(ClippedResidualTest, KeepsZerosZero) {
  const auto errors = extract("", at::zeros({1, 3, 4, 5, 6}));

  EXPECT_EQ(errors[0].residual.count_nonzero().item<std::int64_t>(), 0);
}

TEST_F(ClippedResidualTest, RefusesALimitOfZero) {
  EXPECT_THROW(extract("max_rms = 0\n", at::zeros({1, 3, 4, 5, 6})), ConfigError);
}

}  // namespace
}  // namespace svi
