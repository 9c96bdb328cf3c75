#include "svi/tensor/error_structure.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "svi/tensor/random.hpp"

namespace svi {
namespace {

const RandomKey kKey{3, Purpose::test, 7, 11};

at::Tensor some_error() {
  // Channels of different strength: what is kept per channel must not be mixed up.
  return normal({1, Purpose::test, 0, 0}, {3, 2, 4, 5}) *
         at::tensor({0.5, 1.0, 2.0}, at::kFloat).view({3, 1, 1, 1});
}

TEST(ErrorStructure, ShufflingMovesPlacesAndKeepsWhatIsAtEach) {
  const auto error = some_error();

  const auto moved = permute_places(error, kKey);

  EXPECT_FALSE(at::equal(moved, error));
  const auto before = error.flatten(1), after = moved.flatten(1);  // [C, places]
  const auto order = std::get<1>(before[0].sort()), new_order = std::get<1>(after[0].sort());
  // Sorted by one channel, all channels agree: places were moved as wholes.
  EXPECT_TRUE(at::equal(before.index_select(1, order), after.index_select(1, new_order)));
  EXPECT_TRUE(at::equal(moved, permute_places(error, kKey)));
  EXPECT_FALSE(at::equal(moved, permute_places(error, {3, Purpose::test, 8, 11})));
}

TEST(ErrorStructure, GaussianNoiseHasTheErrorsPower) {
  const auto error = some_error();

  const auto noise = gaussian_like(error, true, kKey);
  const auto overall = gaussian_like(error, false, kKey);

  EXPECT_TRUE(at::allclose(noise.square().mean({1, 2, 3}), error.square().mean({1, 2, 3}), 1e-5));
  EXPECT_TRUE(at::allclose(overall.square().mean(), error.square().mean(), 1e-5));
  EXPECT_FALSE(
      at::allclose(overall.square().mean({1, 2, 3}), error.square().mean({1, 2, 3}), 1e-1));
}

TEST(ErrorStructure, IntactIsTheErrorItself) {
  const auto error = some_error();

  EXPECT_TRUE(at::equal(restructured(error, ErrorStructure::intact, kKey), error));
  EXPECT_TRUE(
      at::equal(restructured(error, ErrorStructure::shuffled, kKey), permute_places(error, kKey)));
  EXPECT_TRUE(at::equal(restructured(error, ErrorStructure::gaussian, kKey),
                        gaussian_like(error, true, kKey)));
}

}  // namespace
}  // namespace svi
