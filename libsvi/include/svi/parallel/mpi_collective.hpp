#pragma once

#include <optional>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/parallel/collective.hpp"

namespace svi {

/// Tensors across ranks by MPI, the built-in collective; CUDA tensors pass through host memory.
///
/// Not thread-safe: one thread per group at a time. Works in a group of one without MPI.
class SVI_EXPORT MpiCollective : public Collective {
 public:
  struct Config {
    void describe(OptionVisitor&) {}
  };

  explicit MpiCollective(Config config = {});  // it has no options
  ~MpiCollective() override;

  void connect(const Communicator& group) override;
  std::vector<at::Tensor> all_gather(const at::Tensor& tensor) override;
  void broadcast(at::Tensor& tensor, int root) override;
  /// Additions in the order of a binary tree: ranks 0+1, 2+3, ..., then 0+2, 4+6, ...; every rank
  /// gets the bits of rank 0.
  void sum(at::Tensor& tensor) override;
  /// Throws Error if a rank sends less or more than is expected of it.
  void all_to_all(const std::vector<at::Tensor>& send, std::vector<at::Tensor>& receive) override;

 private:
  const Communicator& group() const;

  std::optional<Communicator> group_;
};

}  // namespace svi
