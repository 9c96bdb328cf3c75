#include "svi/metric/frechet.hpp"

#include <ATen/ATen.h>

#include <Eigen/Dense>
#include <cmath>

#include "svi/core/check.hpp"
#include "svi/tensor/dims.hpp"

namespace svi {
namespace {

struct Gaussian {
  Eigen::VectorXd mean;
  Eigen::MatrixXd covariance;
};

Gaussian gaussian_of(const SetMoments& moments, CovarianceOver over) {
  const auto D = moments.mean.size(0);
  const auto divisor = moments.count - (over == CovarianceOver::count ? 0 : 1);
  return {Eigen::Map<const Eigen::VectorXd>(moments.mean.const_data_ptr<double>(), D),
          Eigen::Map<const Eigen::MatrixXd>(moments.scatter.const_data_ptr<double>(), D, D) /
              static_cast<double>(divisor)};
}

/// The square roots of the eigenvalues of a symmetric matrix that has none below 0 but by rounding.
Eigen::VectorXd roots(const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd>& solved) {
  return solved.eigenvalues().cwiseMax(0.0).cwiseSqrt();
}

/// tr((A B)^(1/2)): A B has the eigenvalues of the symmetric A^(1/2) B A^(1/2).
double trace_of_root(const Eigen::MatrixXd& a, const Eigen::MatrixXd& b) {
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solved(a);
  SVI_CHECK(solved.info() == Eigen::Success, "a covariance has no eigendecomposition");
  const Eigen::MatrixXd root =
      solved.eigenvectors() * roots(solved).asDiagonal() * solved.eigenvectors().transpose();
  const Eigen::MatrixXd product = root * b * root;
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> spectrum((product + product.transpose()) / 2,
                                                                Eigen::EigenvaluesOnly);
  SVI_CHECK(spectrum.info() == Eigen::Success, "a product of covariances has no eigenvalues");
  return roots(spectrum).sum();
}

}  // namespace

double frechet_distance(const at::Tensor& a, const at::Tensor& b) {
  const auto moments = [](const at::Tensor& rows) {
    RunningMoments running(dims<2>(rows, "features [N, D]")[1]);
    running.add(rows);
    return running.moments();
  };
  return frechet_distance(moments(a), moments(b));
}

double frechet_distance(const SetMoments& a, const SetMoments& b, CovarianceOver over) {
  SVI_CHECK(a.count >= 2 && b.count >= 2 && a.mean.numel() == b.mean.numel(),
            "Frechet distance of sets of ", a.count, " x ", a.mean.numel(), " and ", b.count, " x ",
            b.mean.numel(), " features");
  const auto left = gaussian_of(a, over), right = gaussian_of(b, over);
  const double distance = (left.mean - right.mean).squaredNorm() + left.covariance.trace() +
                          right.covariance.trace() -
                          2 * trace_of_root(left.covariance, right.covariance);
  return std::max(0.0, distance);  // below 0 only by rounding
}

}  // namespace svi
