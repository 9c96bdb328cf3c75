#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "svi/core/check.hpp"
#include "svi/tensor/banked_error.hpp"
#include "svi/tensor/dims.hpp"
#include "svi/tensor/random.hpp"

namespace svi {
namespace {

TEST(BankedError, IsGainTimesResidualPlusOffset) {
  BankedError error;
  error.residual = at::full({1, 2, 3, 4}, 2.0).to(at::kBFloat16);
  error.data_gain = -0.5;
  error.noise_gain = 3;
  error.noise_offset = at::full({1, 2, 3, 4}, 1.0);

  EXPECT_TRUE(at::equal(error.at(ErrorEnd::data), at::full({1, 2, 3, 4}, -1.0)));
  EXPECT_TRUE(at::equal(error.at(ErrorEnd::noise), at::full({1, 2, 3, 4}, 7.0)));
  EXPECT_EQ(error.at(ErrorEnd::data).scalar_type(), at::kFloat);
}

TEST(BankedError, CountsASharedOffsetOnce) {
  BankedError error;
  error.residual = at::zeros({1, 2, 3, 4}).to(at::kBFloat16);
  EXPECT_EQ(error.bytes(), 48);

  error.data_offset = error.noise_offset = at::zeros({1, 2, 3, 4}).to(at::kBFloat16);
  EXPECT_EQ(error.bytes(), 96);

  error.noise_offset = error.noise_offset.clone();
  EXPECT_EQ(error.bytes(), 144);
}

TEST(BankedError, NeedsAResidual) { EXPECT_THROW(BankedError().at(ErrorEnd::data), Error); }

TEST(Normal, DependsOnItsKeyAlone) {
  const RandomKey key{1, Purpose::test, 2, 3};
  const auto a = normal(key, {2, 3, 50}), b = normal(key, {2, 3, 50});
  const auto other = normal({1, Purpose::test, 2, 4}, {2, 3, 50});

  EXPECT_TRUE(at::equal(a, b));
  EXPECT_FALSE(at::equal(a, other));
  EXPECT_NEAR(normal(key, {20000}).mean().item<double>(), 0, 0.03);
  EXPECT_NEAR(normal(key, {20000}).square().mean().item<double>(), 1, 0.04);
}

TEST(Dims, NameWhatWasExpected) {
  const auto [B, C] = dims<2>(at::zeros({3, 4}), "x [B, C]");
  EXPECT_EQ(B, 3);
  EXPECT_EQ(C, 4);

  try {
    dims<3>(at::zeros({3, 4}), "x [B, C, F]");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("expected x [B, C, F], got [3, 4]"),
              std::string::npos);
  }
  EXPECT_THROW(dims<1>(at::Tensor(), "sigma [B]"), Error);
}

}  // namespace
}  // namespace svi
