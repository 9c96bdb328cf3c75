#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "svi/core/random.hpp"
#include "svi/parallel/node_memory.hpp"
#include "svi/plugin/component.hpp"
#include "svi/tensor/banked_error.hpp"
#include "svi/tensor/named_tensors.hpp"

namespace svi {

/// Asks a bank for one error.
struct Recall {
  ErrorEnd end = ErrorEnd::data;         // which end to scale for
  double sigma_low = 0, sigma_high = 1;  // any bin touching this range; equal values name one bin
  RandomKey key;                         // which of the entries: uniform over all that qualify
};

/// What a bank gave back.
struct Recalled {
  at::Tensor error;        // [C, F, h, w]  fp32, scaled for the end asked for
  std::int64_t depth = 0;  // BankedError::depth
};

/// How full a bank is, bin by bin; what the runner writes into the result file.
struct BankStatistics {
  std::int64_t entries = 0, bytes = 0, stored = 0, evicted = 0;  // errors; bytes of their tensors
  std::vector<std::int64_t> per_bin;                             // [G]
  std::vector<double> mean_rms;  // [G]  RMS of residuals, latent units; 0 where empty
  double mean_error =
      0;                // RMS of the mean data-end error over all entries: the bias it would teach
  double data_rms = 0;  // RMS of the data-end errors as banked, latent units
  double mean_depth = 0;  // BankedError::depth, mean over entries
  /// Of `bytes`, what this rank has allocated: all, or where the ranks of a node share it, all on
  /// its first rank and nothing on the others.
  std::int64_t own_bytes = 0;
};

/// What a bank holds when it is full.
struct BankLimit {
  std::int64_t entries = 0;  // errors
  std::int64_t bytes = 0;    // of their tensors
};

/// Keeps errors and gives them back.
///
/// One thread at a time. Sharing errors between ranks is the composer's work, so that what is
/// stored, and in which order, is the same on any number of ranks. Not collective, but for `store`
/// and `load` of a bank that was told to `keep_in` a memory: these are, over its ranks.
class SVI_EXPORT MemoryBank : public Component {
 public:
  static constexpr std::string_view kKind = "memory";
  ~MemoryBank() override;

  /// Stores one error; `key` decides what a random eviction removes.
  void store(const BankedError& error, const RandomKey& key);
  /// One error scaled for the end asked for, [C, F, h, w] fp32, or nothing if no entry qualifies.
  std::optional<at::Tensor> recall(const Recall& request) const;
  /// The same with what is known of that error.
  std::optional<Recalled> recall_entry(const Recall& request) const;
  bool has(const Recall& request) const;  // whether recall() would find one

  BankStatistics statistics() const { return do_statistics(); }  // what it holds now

  /// What it would hold when full of errors of `tensors` tensors (residual and offsets) of this
  /// shape [C, F, h, w]; nothing for a bank without a limit.
  std::optional<BankLimit> limit(at::IntArrayRef shape, std::int64_t tensors = 1) const;
  /// From now on keeps tensors where the ranks of a node share them. The banks of all its ranks
  /// then store and load the same, in the same order. A bank that cannot share keeps its own.
  void keep_in(std::shared_ptr<NodeMemory> memory) { do_keep_in(std::move(memory)); }

  /// All entries in the order in which they were stored. Their tensors are the bank's own: not to
  /// be changed. In a shared memory, the next `store` or `load` may overwrite them.
  std::vector<BankedError> errors() const { return do_errors(); }

  /// Everything needed to go on as if never interrupted. Its tensors are those of `errors`.
  NamedTensors state() const { return do_state(); }
  /// Replaces the content. Throws IoError if the state is not one of this kind of bank.
  void load(const NamedTensors& state) { do_load(state); }

 private:
  virtual void do_store(const BankedError& error, const RandomKey& key) = 0;
  virtual std::optional<Recalled> do_recall(const Recall& request) const = 0;
  virtual bool do_has(const Recall& request) const = 0;
  virtual BankStatistics do_statistics() const = 0;
  virtual std::vector<BankedError> do_errors() const = 0;
  virtual NamedTensors do_state() const = 0;
  virtual void do_load(const NamedTensors& state) = 0;
  virtual std::optional<BankLimit> do_limit(at::IntArrayRef shape, std::int64_t tensors) const;
  virtual void do_keep_in(std::shared_ptr<NodeMemory> memory);
};

}  // namespace svi
