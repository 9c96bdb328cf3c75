#pragma once

#include <ATen/core/Tensor.h>

#include "svi/core/export.hpp"
#include "svi/metric/moments.hpp"

namespace svi {

/// Frechet distance between the Gaussians fitted to two sets of features, a [N, D] and b [M, D],
/// N, M >= 2 (Dowson and Landau 1982; Heusel et al. 2017, arXiv 1706.08500):
///
///     |m_a - m_b|^2 + tr(S_a + S_b - 2 (S_a S_b)^(1/2))
///
/// with means m and unbiased covariances S, in fp64 by symmetric eigendecompositions. 0 for equal
/// sets, symmetric, in squared units of the features. Small sets make it too large, and with fewer
/// than D + 1 rows a covariance does not have full rank: compare only distances of sets of equal
/// sizes. Throws Error for other shapes and for values that are not finite.
SVI_EXPORT double frechet_distance(const at::Tensor& a, const at::Tensor& b);

/// What a sum of squares is divided by to give a covariance.
enum class CovarianceOver {
  count_less_one,  // N - 1: unbiased
  count,           // N
};

/// The same of sets by their moments.
SVI_EXPORT double frechet_distance(const SetMoments& a, const SetMoments& b,
                                   CovarianceOver over = CovarianceOver::count_less_one);

}  // namespace svi
