#include "svi/tensor/error_records.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>

#include "svi/core/check.hpp"
#include "svi/tensor/random.hpp"

namespace svi {
namespace {

at::Tensor gaussian(std::uint32_t stream) {
  return normal({1, Purpose::test, stream, 0}, {2, 3, 4, 5});
}

std::vector<BankedError> some_errors() {
  std::vector<BankedError> errors(4);
  for (std::uint32_t i = 0; i < 4; ++i) {
    auto& error = errors[i];
    error.residual = gaussian(i).to(at::kBFloat16);
    error.sigma = 0.2 * i;
    error.data_gain = -0.2 * i;
    error.noise_gain = 1 - 0.2 * i;
    error.step = 10 + i;
    error.sample = 7 * i;
    error.clean = i == 2;
    error.depth = 3 - i;
  }
  errors[1].data_offset = gaussian(10);
  errors[1].noise_offset = errors[1].data_offset;
  errors[2].data_offset = gaussian(11);
  errors[3].noise_offset = gaussian(12);
  return errors;
}

TEST(ErrorRecords, ComeBackAsTheyWere) {
  const auto errors = some_errors();
  const auto again = unpack_errors(pack_errors(errors), "x");

  ASSERT_EQ(again.size(), errors.size());
  for (std::size_t i = 0; i < errors.size(); ++i) {
    EXPECT_EQ(again[i].residual.scalar_type(), at::kBFloat16);
    EXPECT_TRUE(at::equal(again[i].residual, errors[i].residual));
    for (const auto end : {ErrorEnd::data, ErrorEnd::noise})
      EXPECT_TRUE(at::equal(again[i].at(end), errors[i].at(end)));
    EXPECT_EQ(again[i].bytes(), errors[i].bytes());  // a shared offset is still one
    EXPECT_EQ(again[i].sigma, errors[i].sigma);
    EXPECT_EQ(again[i].step, errors[i].step);
    EXPECT_EQ(again[i].sample, errors[i].sample);
    EXPECT_EQ(again[i].clean, errors[i].clean);
    EXPECT_EQ(again[i].depth, errors[i].depth);
  }
}

TEST(ErrorRecords, HoldNothingWhereThereIsNothing) {
  EXPECT_TRUE(unpack_errors(pack_errors({}), "x").empty());
}

TEST(ErrorRecords, MayDifferInFramesAndInNothingElse) {
  auto errors = some_errors();
  errors[2].residual = gaussian(20).narrow(1, 0, 1);
  errors[2].data_offset = gaussian(21).narrow(1, 0, 1);
  const auto again = unpack_errors(pack_errors(errors), "x");

  EXPECT_TRUE(at::equal(again[1].at(ErrorEnd::data), errors[1].at(ErrorEnd::data)));
  EXPECT_TRUE(again[2].residual.sizes().equals({2, 1, 4, 5}));
  // Kept in the dtype of the first error.
  const auto expected = errors[2].residual.to(at::kBFloat16).to(at::kFloat);
  EXPECT_TRUE(at::equal(again[2].residual.to(at::kFloat), expected));
  EXPECT_TRUE(at::equal(again[2].data_offset, errors[2].data_offset));

  errors[2].residual = at::zeros({2, 3, 4, 6});
  EXPECT_THROW(pack_errors(errors), Error);
}

TEST(ErrorRecords, RefuseWhatIsNoBankOfErrors) {
  const auto whole = pack_errors(some_errors());
  const auto damaged = [&](std::int64_t column, double value) {
    auto state = whole;
    state[0].second = whole[0].second.clone();
    state[0].second[1][column] = value;
    return state;
  };
  auto fewer = whole, thin = whole, without = whole, shapes = whole;
  fewer[1].second = whole[1].second.narrow(0, 0, 3);
  thin[0].second = whole[0].second.narrow(1, 0, 8);
  without.erase(without.begin());
  shapes[2].second = at::zeros({3, 2, 3, 4, 6});

  EXPECT_NO_THROW(unpack_errors(whole, "x"));
  for (const auto& wrong : {fewer, thin, without, shapes})
    EXPECT_THROW(unpack_errors(wrong, "x"), IoError);
  for (std::int64_t column = 0; column < 10; ++column) {
    EXPECT_THROW(unpack_errors(damaged(column, std::nan("")), "x"), IoError) << column;
    EXPECT_THROW(unpack_errors(damaged(column, HUGE_VAL), "x"), IoError) << column;
  }
  EXPECT_THROW(unpack_errors(damaged(4, 1.5), "x"), IoError);  // sigma
  EXPECT_THROW(unpack_errors(damaged(7, 3), "x"), IoError);    // no such offset
  EXPECT_THROW(unpack_errors(damaged(8, 0.5), "x"), IoError);
  EXPECT_THROW(unpack_errors(damaged(9, 4), "x"), IoError);  // more frames than there are
}

}  // namespace
}  // namespace svi
