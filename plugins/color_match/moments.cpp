#include "moments.hpp"

#include <ATen/ATen.h>

namespace color_match {
namespace {

// Variances below this share of the largest one are those of a constant.
constexpr double kNothing = 1e-12;

/// Unbiased covariance of rows [B, c, N] without their means: [B, c, c].
at::Tensor covariance(const at::Tensor& rows) {
  const auto count = std::max<std::int64_t>(rows.size(2) - 1, 1);
  return at::matmul(rows, rows.transpose(1, 2)) / static_cast<double>(count);
}

/// Symmetric power of a covariance, by its eigenvalues; `constant` stands for those that are none.
at::Tensor power(const at::Tensor& matrix, double exponent, double constant) {
  const auto [values, vectors] = at::linalg_eigh(matrix);  // [B, c], [B, c, c]
  const auto least = kNothing * values.amax(1, /*keepdim=*/true).clamp_min(1e-30);
  const auto raised = at::where(values > least, values.clamp_min(1e-300).pow(exponent),
                                at::full_like(values, constant));
  return at::matmul(vectors * raised.unsqueeze(1), vectors.transpose(1, 2));
}

/// The projection on what is constant: [B, c, c].
at::Tensor constant_part(const at::Tensor& matrix) { return power(matrix, 0, 0).neg(); }

}  // namespace

ChannelMap channel_map(const at::Tensor& have, const at::Tensor& want, Moments moments) {
  const auto a = have.flatten(2).to(at::kDouble), b = want.flatten(2).to(at::kDouble);
  const auto from = a.mean(2, /*keepdim=*/true), to = b.mean(2, /*keepdim=*/true);
  const auto eye = at::eye(a.size(1), a.options()).expand({a.size(0), -1, -1});
  if (moments == Moments::mean) return {eye, from, to};
  const auto before = covariance(a - from), after = covariance(b - to);
  if (moments == Moments::mean_std) {
    const auto old = before.diagonal(0, 1, 2), now = after.diagonal(0, 1, 2);  // [B, c]
    const auto least = kNothing * old.amax(1, true).clamp_min(1e-30);
    const auto scale = at::where(old > least, (now / old.clamp_min(1e-300)).clamp_min(0).sqrt(),
                                 at::ones_like(old));
    return {at::diag_embed(scale), from, to};
  }
  const auto root = power(before, 0.5, 0), inverse = power(before, -0.5, 0);
  const auto middle = at::matmul(at::matmul(root, after), root);
  const auto matrix = at::matmul(at::matmul(inverse, power(middle, 0.5, 0)), inverse);
  return {matrix + eye + constant_part(before), from, to};
}

at::Tensor moved(const at::Tensor& x, const ChannelMap& map, double strength) {
  const auto flat = x.flatten(2).to(at::kDouble);
  const auto whole = at::matmul(map.matrix, flat - map.from) + map.to;
  return (flat + strength * (whole - flat)).view(x.sizes()).to(x.scalar_type());
}

}  // namespace color_match
