#pragma once

#include <ATen/core/Tensor.h>

#include <string_view>
#include <vector>

#include "svi/parallel/communicator.hpp"
#include "svi/plugin/component.hpp"

namespace svi {

/// Tensors across ranks. MPI is built in; NCCL is a plugin.
///
/// Every method is collective and unconditional: all ranks call it in the same order with equal
/// shapes.
class SVI_EXPORT Collective : public Component {
 public:
  static constexpr std::string_view kKind = "collective";
  ~Collective() override;

  /// Joins the group; called once before anything else.
  virtual void connect(const Communicator& group) = 0;
  /// Every rank's tensor, by rank; shapes and dtypes equal on all ranks.
  virtual std::vector<at::Tensor> all_gather(const at::Tensor& tensor) = 0;
  /// `tensor` of `root` into everyone's `tensor`.
  virtual void broadcast(at::Tensor& tensor, int root) = 0;
  /// The sum over ranks, in place. The order of additions is fixed (a binary tree over ranks), so
  /// that the result has the same bits each time.
  virtual void sum(at::Tensor& tensor) = 0;
};

}  // namespace svi
