#pragma once

#include "svi/core/export.hpp"
#include "svi/model/wan/dit.hpp"
#include "svi/parallel/communicator.hpp"
#include "svi/parallel/stop.hpp"

namespace svi {

/// What ranks that share films share of each pass.
enum class PassShare {
  tokens,   // each computes its tokens of all samples; WanDit::split_over was called on all ranks
  samples,  // each computes its samples of the batch, one at a time: the same numbers on any number
            // of ranks
};

/// Films by all ranks of a group: rank 0 makes them, and asks the others to compute each velocity
/// along, which they do in compute_along(). Files, codec and encoders are rank 0's alone. Its end
/// lets the other ranks go, unless a pass has failed on rank 0 alone: then the program must end
/// them.
class SVI_EXPORT SplitModel final : public VelocityModel {
 public:
  /// On rank 0. Borrows the model.
  SplitModel(const WanDit& dit, Communicator group, PassShare share = PassShare::tokens)
      : dit_(dit), group_(std::move(group)), share_(share) {}
  SplitModel(const SplitModel&) = delete;
  SplitModel& operator=(const SplitModel&) = delete;
  ~SplitModel() override;

  at::Tensor velocity(const at::Tensor& noisy, const at::Tensor& timestep,
                      const Condition& condition) const override;
  std::string first_non_finite(const at::Tensor& noisy, const at::Tensor& timestep,
                               const Condition& condition) const override;

 private:
  const WanDit& dit_;
  Communicator group_;
  PassShare share_;
  mutable bool passing_ =
      false;  // a pass that does not return leaves the ranks in the middle of it
};

/// What the other ranks do until rank 0 lets them go.
SVI_EXPORT void compute_along(const WanDit& dit, const Communicator& group,
                              const StopRequest& stop);

}  // namespace svi
