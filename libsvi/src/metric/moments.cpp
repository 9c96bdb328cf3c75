#include "svi/metric/moments.hpp"

#include <ATen/ATen.h>

#include <Eigen/Dense>

#include "svi/core/check.hpp"
#include "svi/tensor/dims.hpp"

namespace svi {
namespace {

using RowMatrix = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

constexpr std::int64_t kMomentRows = 64;  // of a block; part of every result

Eigen::Map<RowMatrix> matrix(at::Tensor& tensor, std::int64_t rows) {
  return {tensor.mutable_data_ptr<double>(), rows, tensor.size(1)};
}

SetMoments no_moments(std::int64_t features) {
  return {0, at::zeros({features}, at::kDouble), at::zeros({features, features}, at::kDouble)};
}

/// Joins `rows` of a block to what is known. Eigen's products here run on one thread, so that their
/// sums have one order.
void join(SetMoments& known, const Eigen::Ref<const RowMatrix>& rows) {
  const auto D = known.mean.size(0);
  Eigen::Map<Eigen::RowVectorXd> mean(known.mean.mutable_data_ptr<double>(), D);
  auto scatter = matrix(known.scatter, D);
  const Eigen::RowVectorXd own = rows.colwise().mean();
  const RowMatrix centred = rows.rowwise() - own;
  const auto n = static_cast<double>(rows.rows()), before = static_cast<double>(known.count);
  const Eigen::RowVectorXd apart = own - mean;
  scatter.noalias() += centred.transpose() * centred;
  scatter.noalias() += apart.transpose() * (apart * (n * before / (n + before)));
  mean += apart * (n / (n + before));
  known.count += rows.rows();
}

}  // namespace

JudgesMoments::~JudgesMoments() = default;

RunningMoments::RunningMoments(std::int64_t features)
    : closed_(no_moments(features)), block_(at::empty({kMomentRows, features}, at::kDouble)) {
  SVI_CHECK(features >= 1, "moments of ", features, " features");
}

void RunningMoments::add(const at::Tensor& rows) {
  const auto [n, D] = dims<2>(rows, "features [n, D]");
  SVI_CHECK(D == block_.size(1), "moments of ", block_.size(1), " features, not of ", D);
  const auto values = rows.to(at::kCPU, at::kDouble);
  SVI_CHECK(values.isfinite().all().item<bool>(), "features that are not finite");
  for (std::int64_t first = 0; first < n;) {
    const auto some = std::min(n - first, kMomentRows - held_);
    block_.narrow(0, held_, some).copy_(values.narrow(0, first, some));
    held_ += some;
    first += some;
    if (held_ < kMomentRows) return;
    join(closed_, matrix(block_, kMomentRows));
    held_ = 0;
  }
}

SetMoments RunningMoments::moments() const {
  SetMoments all{closed_.count, closed_.mean.clone(), closed_.scatter.clone()};
  auto block = block_;
  if (held_ > 0) join(all, matrix(block, held_));
  return all;
}

}  // namespace svi
