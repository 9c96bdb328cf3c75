#pragma once

#include "svi/model/wan/dit.hpp"
#include "svi/parallel/communicator.hpp"
#include "svi/parallel/stop.hpp"

namespace svi::generate {

/// One film by all ranks: rank 0 makes it, and asks the others to compute each velocity along
/// (WanDit::split_over must have been called on all of them). Files, codec and encoders are rank
/// 0's alone.
class SplitModel final : public VelocityModel {
 public:
  SplitModel(const WanDit& dit, Communicator group) : dit_(dit), group_(std::move(group)) {}

  at::Tensor velocity(const at::Tensor& noisy, const at::Tensor& timestep,
                      const Condition& condition) const override;
  std::string first_non_finite(const at::Tensor& noisy, const at::Tensor& timestep,
                               const Condition& condition) const override;
  /// Lets the other ranks go.
  void finish() const;

 private:
  const WanDit& dit_;
  Communicator group_;
};

/// What the other ranks do until rank 0 lets them go.
void compute_along(const WanDit& dit, const Communicator& group, const StopRequest& stop);

}  // namespace svi::generate
