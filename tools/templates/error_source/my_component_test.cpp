#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "svi/core/check.hpp"
#include "svi/error/error_source.hpp"
#include "svi/plugin/loader.hpp"
#include "svi/tensor/random.hpp"

namespace svi {
namespace {

class MyComponentTest : public ::testing::Test {
 protected:
  MyComponentTest() { load_plugin(PLUGIN_FILE, registry_); }

  std::vector<BankedError> extract(const std::string& options, const at::Tensor& difference) {
    const auto document =
        Document::parse("[error_source]\ntype = my_component\n" + options, "test.ini");
    const auto source = registry_.make<ErrorSource>(document, "none");
    const auto zeros = at::zeros_like(difference);
    const auto sigma = at::full({difference.size(0)}, 0.25);
    return source->extract(StepView{zeros, zeros, zeros, zeros, difference, sigma, {}, {}});
  }

  Registry registry_;
};

TEST_F(MyComponentTest, ScalesTheOneStepErrorAtBothEnds) {
  const auto difference = normal({1, Purpose::test, 0, 0}, {2, 3, 4, 5, 6});
  const auto errors = extract("scale = 2\n", difference);
  ASSERT_EQ(errors.size(), 2u);
  for (std::int64_t b = 0; b < 2; ++b) {
    const auto& error = errors[static_cast<std::size_t>(b)];
    EXPECT_TRUE(at::allclose(error.at(ErrorEnd::data), -0.5 * difference[b]));
    EXPECT_TRUE(at::allclose(error.at(ErrorEnd::noise), 1.5 * difference[b]));
  }
}

TEST_F(MyComponentTest, RefusesANegativeFactor) {
  EXPECT_THROW(extract("scale = -1\n", at::zeros({1, 3, 4, 5, 6})), ConfigError);
}

}  // namespace
}  // namespace svi
