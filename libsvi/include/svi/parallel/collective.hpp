#pragma once

#include <ATen/core/Tensor.h>

#include <string_view>
#include <vector>

#include "svi/parallel/communicator.hpp"
#include "svi/plugin/component.hpp"

namespace svi {

/// Tensors across ranks. MPI is built in; NCCL is a plugin.
///
/// Every method is collective and unconditional: all ranks call it in the same order. Shapes and
/// dtypes are equal on all ranks, but for all_to_all.
class SVI_EXPORT Collective : public Component {
 public:
  static constexpr std::string_view kKind = "collective";
  ~Collective() override;

  /// Joins the group; called once before anything else.
  virtual void connect(const Communicator& group) = 0;
  /// Every rank's tensor, by rank.
  virtual std::vector<at::Tensor> all_gather(const at::Tensor& tensor) = 0;
  /// `tensor` of `root` into everyone's `tensor`.
  virtual void broadcast(at::Tensor& tensor, int root) = 0;
  /// The sum over ranks, in place. The order of additions is fixed (a binary tree over ranks), so
  /// that the result has the same bits each time.
  virtual void sum(at::Tensor& tensor) = 0;
  /// `send[r]` goes to rank r; what rank r sends to this one goes into `receive[r]`. One tensor per
  /// rank, of any shapes (empty ones, too), all of one dtype and on one device; `receive[r]` has
  /// the shape that rank r sends.
  virtual void all_to_all(const std::vector<at::Tensor>& send,
                          std::vector<at::Tensor>& receive) = 0;

 protected:
  /// Throws Error where these are no arguments of all_to_all for `rank` among `ranks`.
  static void check_exchange(const std::vector<at::Tensor>& send,
                             const std::vector<at::Tensor>& receive, int rank, int ranks);
};

}  // namespace svi
