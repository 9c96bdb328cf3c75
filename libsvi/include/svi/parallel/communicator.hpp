#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "svi/core/export.hpp"

namespace svi {

/// A group of ranks that talk by bytes. Copies share the group; creation by `split` is collective.
/// Every method but rank() and size() is collective over the group. MPI stays in the .cpp.
class SVI_EXPORT Communicator {
 public:
  /// The group of this process alone: works without MPI.
  static Communicator self();
  /// All ranks; needs an Environment.
  static Communicator world();

  int rank() const;                              // of this process, from 0
  int size() const;                              // number of ranks
  Communicator split(int color, int key) const;  // by colour, ordered by key

  /// Those that run on this machine and can share memory, in the same order.
  Communicator node() const;

  void barrier() const;  // until all ranks are here
  /// `bytes` of `root`, on every rank.
  std::string broadcast(const std::string& bytes, int root = 0) const;
  /// Every rank's bytes, by rank, on every rank.
  std::vector<std::string> all_gather(const std::string& bytes) const;

  struct Impl;
  const Impl& impl() const { return *impl_; }  // for code that needs MPI

 private:
  explicit Communicator(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

}  // namespace svi
