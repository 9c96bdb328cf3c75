#include "svi/metric/frechet.hpp"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cmath>

#include "svi/core/check.hpp"
#include "svi/tensor/random.hpp"

namespace svi {
namespace {

at::Tensor random_rows(std::int64_t rows, std::int64_t features, std::uint32_t stream) {
  return normal({3, Purpose::test, stream, 0}, {rows, features}).to(at::kDouble);
}

/// Rows with exactly the mean 0 and the unbiased covariance diag(variances): plus and minus one
/// axis at a time.
at::Tensor axes(const std::vector<double>& variances) {
  const auto D = static_cast<std::int64_t>(variances.size());
  const auto scale =
      (at::tensor(variances, at::kDouble) * (2.0 * static_cast<double>(D) - 1) / 2).sqrt();
  return at::cat({scale.diag(), -scale.diag()});
}

TEST(FrechetDistance, OfEqualSetsIsZero) {
  const auto set = random_rows(200, 32, 0);

  EXPECT_NEAR(frechet_distance(set, set), 0, 1e-10);
  EXPECT_NEAR(frechet_distance(set, set.flip(0)), 0, 1e-10);
  // With fewer rows than features eigenvalues of 0 are known to 1e-16, their roots to 1e-8.
  EXPECT_NEAR(frechet_distance(set.slice(0, 0, 10), set.slice(0, 0, 10)), 0, 1e-5);
}

TEST(FrechetDistance, OfAShiftedSetIsTheSquareOfTheShift) {
  const auto set = random_rows(100, 4, 1);
  const auto shift = at::tensor({1.0, -2.0, 0.5, 0.0}, at::kDouble);

  EXPECT_NEAR(frechet_distance(set, set + shift), 5.25, 1e-10);
}

TEST(FrechetDistance, OfDiagonalCovariancesComparesDeviations) {
  const auto a = axes({4.0, 1.0, 0.25}), b = axes({1.0, 9.0, 0.25});

  EXPECT_NEAR(frechet_distance(a, b), 1.0 + 4.0 + 0.0, 1e-12);
  EXPECT_NEAR(frechet_distance(b, a), 5.0, 1e-12);
}

TEST(FrechetDistance, DoesNotChangeUnderRotation) {
  const auto a = random_rows(60, 5, 2), b = random_rows(50, 5, 3) * 2 + 1;
  const auto rotation = std::get<0>(at::linalg_qr(random_rows(5, 5, 4)));

  EXPECT_NEAR(frechet_distance(a.mm(rotation), b.mm(rotation)), frechet_distance(a, b), 1e-10);
}

// Python 3, NumPy 2.4.6, SciPy 1.17.1:
//   i, j = np.arange(40)[:, None], np.arange(6)[None, :]
//   a = np.sin(1.0 + 0.7 * i * (j + 1) + 0.01 * i * i) + 0.1 * j
//   i = np.arange(25)[:, None]
//   b = 0.8 * np.cos(0.4 * i + 0.9 * j + 0.03 * i * j) - 0.2 * j
//   d, s, t = a.mean(0) - b.mean(0), np.cov(a, rowvar=False), np.cov(b, rowvar=False)
//   d @ d + np.trace(s + t - 2 * scipy.linalg.sqrtm(s @ t).real)
TEST(FrechetDistance, IsThatOfScipysMatrixRoot) {
  const auto rows = [](std::int64_t count) { return at::arange(count, at::kDouble).view({-1, 1}); };
  const auto j = at::arange(6, at::kDouble).view({1, -1});
  auto i = rows(40);
  const auto a = (1.0 + 0.7 * i * (j + 1) + 0.01 * i * i).sin() + 0.1 * j;
  i = rows(25);
  const auto b = 0.8 * (0.4 * i + 0.9 * j + 0.03 * i * j).cos() - 0.2 * j;

  EXPECT_NEAR(frechet_distance(a, b), 6.752479195251679, 1e-10);
}

/// spread * sin(a i + b j + c i j) + place for i < rows, j < 64: with a place far from the origin,
/// sums of squares lose digits.
at::Tensor waves(std::int64_t rows, double a, double b, double c, double spread, double place) {
  const auto i = at::arange(rows, at::kDouble).view({-1, 1});
  const auto j = at::arange(64, at::kDouble).view({1, -1});
  return spread * (a * i + b * j + c * i * j).sin() + place;
}

// NumPy and SciPy as above, of waves(); over N with np.cov(..., bias=True).
TEST(FrechetDistance, OfRunningMomentsIsThatOfNumPyAndSciPy) {
  RunningMoments a(64), b(64);
  a.add(waves(700, 1.3, 2.1, 0.37, 0.5, 1000));
  b.add(waves(500, 0.9, 1.7, 0.23, 0.75, 1000.25));

  EXPECT_NEAR(frechet_distance(a.moments(), b.moments()), 6.583403897045878, 1e-10 * 6.58);
  EXPECT_NEAR(frechet_distance(a.moments(), b.moments(), CovarianceOver::count), 6.576111314767163,
              1e-10 * 6.57);
}

TEST(RunningMoments, HaveTheSameBitsHoweverRowsCome) {
  const auto rows = random_rows(333, 64, 7) + 3;
  RunningMoments whole(64);
  whole.add(rows);
  const auto wanted = whole.moments();
  for (const std::int64_t part : {1, 7, 64, 100}) {
    RunningMoments parted(64);
    for (const auto& some : rows.split(part)) {
      parted.add(some);
      parted.moments();  // asking changes nothing
    }
    const auto seen = parted.moments();
    EXPECT_EQ(seen.count, 333);
    EXPECT_TRUE(at::equal(seen.mean, wanted.mean)) << part;
    EXPECT_TRUE(at::equal(seen.scatter, wanted.scatter)) << part;
  }
  const auto centred = rows - rows.mean(0);
  EXPECT_LT((wanted.mean - rows.mean(0)).abs().max().item<double>(), 1e-13);
  EXPECT_LT((wanted.scatter - centred.t().mm(centred)).abs().max().item<double>(), 1e-11);
}

TEST(RunningMoments, OfNothingAreZeros) {
  const RunningMoments none(3);
  EXPECT_EQ(none.moments().count, 0);
  EXPECT_EQ(none.moments().mean.abs().sum().item<double>(), 0);
  EXPECT_THROW(RunningMoments(3).add(at::full({2, 3}, NAN)), Error);
  EXPECT_THROW(RunningMoments(3).add(at::zeros({2, 4})), Error);
}

TEST(FrechetDistance, RefusesWhatHasNoCovariance) {
  const auto set = random_rows(10, 3, 5);
  auto broken = set.clone();
  broken[4][1] = NAN;

  EXPECT_THROW(frechet_distance(set, set.slice(0, 0, 1)), Error);
  EXPECT_THROW(frechet_distance(set, random_rows(10, 4, 6)), Error);
  EXPECT_THROW(frechet_distance(set, broken), Error);
}

}  // namespace
}  // namespace svi
