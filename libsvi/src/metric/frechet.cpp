#include "svi/metric/frechet.hpp"

#include <ATen/ATen.h>

#include <Eigen/Dense>
#include <cmath>

#include "svi/core/check.hpp"
#include "svi/tensor/dims.hpp"

namespace svi {
namespace {

using Matrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

struct Gaussian {
  Eigen::RowVectorXd mean;
  Eigen::MatrixXd covariance;
};

Gaussian fit(const at::Tensor& rows) {
  const auto packed = rows.to(at::kCPU, at::kDouble).contiguous();
  const Eigen::Map<const Matrix> values(packed.const_data_ptr<double>(), packed.size(0),
                                        packed.size(1));
  SVI_CHECK(values.allFinite(), "features that are not finite");
  Gaussian gaussian;
  gaussian.mean = values.colwise().mean();
  const Matrix centred = values.rowwise() - gaussian.mean;
  gaussian.covariance = centred.transpose() * centred /
                        static_cast<double>(std::max<Eigen::Index>(1, values.rows() - 1));
  return gaussian;
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
  const auto [N, D] = dims<2>(a, "features [N, D]");
  const auto [M, E] = dims<2>(b, "features [M, D]");
  SVI_CHECK(N >= 2 && M >= 2 && D >= 1 && D == E, "Frechet distance of sets ", a.sizes(), " and ",
            b.sizes());
  const auto left = fit(a), right = fit(b);
  const double distance = (left.mean - right.mean).squaredNorm() + left.covariance.trace() +
                          right.covariance.trace() -
                          2 * trace_of_root(left.covariance, right.covariance);
  return std::max(0.0, distance);  // below 0 only by rounding
}

}  // namespace svi
