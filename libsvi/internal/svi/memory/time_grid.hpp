#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/memory/eviction.hpp"
#include "svi/memory/memory_bank.hpp"
#include "svi/tensor/time_bins.hpp"

namespace svi {

/// One buffer of errors per bin of flow time, in CPU memory.
///
/// Each error is kept once, as its residual; recall scales it for the end asked for
/// (docs/architecture.md, "One training step"). `state()` costs no copy; stored tensors are never
/// changed in place, so that it stays valid while the bank goes on, except in a shared memory.
///
/// Eviction of the nearest compares what would be injected: where an entry of the bin or the new
/// error has offsets, the errors of both ends together; where none has, the residuals, which differ
/// from these by gains that a bin's entries have in common.
///
/// With remove_mean = bin, recall subtracts the mean of what the error's bin holds at that moment,
/// so the mean over all that a bin can answer is exactly zero, and so is that over any range of
/// bins: no bias is taught, neither the model's present one nor one of errors long stale. The power
/// of what n entries answer falls by the factor 1 - 1 / n; a single entry answers zero.
class SVI_EXPORT TimeGridBank final : public MemoryBank {
 public:
  struct Config {
    std::int64_t bins = 50;
    double shift = 5;
    std::int64_t capacity = 500;
    Eviction eviction = Eviction::random;
    StorageType storage = StorageType::bf16;
    double byte_budget = 0;
    std::int64_t max_age = 0;
    BankMean remove_mean = BankMean::none;

    void describe(OptionVisitor& visit);
  };

  explicit TimeGridBank(Config config);
  ~TimeGridBank() override;

 private:
  struct Entry;
  using Bin = std::vector<Entry>;

  void do_store(const BankedError& error, const RandomKey& key) override;
  std::optional<Recalled> do_recall(const Recall& request) const override;
  bool do_has(const Recall& request) const override;
  BankStatistics do_statistics() const override;
  std::vector<BankedError> do_errors() const override;
  NamedTensors do_state() const override;
  void do_load(const NamedTensors& state) override;
  std::optional<BankLimit> do_limit(at::IntArrayRef shape, std::int64_t tensors) const override;
  void do_keep_in(std::shared_ptr<NodeMemory> memory) override { memory_ = std::move(memory); }

  Entry make_entry(const BankedError& error) const;
  void settle(Entry& entry);
  void warn_of_the_budget();
  std::size_t pick_victim(const Bin& bin, const Entry& incoming, const RandomKey& key) const;
  void evict_older_than(std::int64_t step);
  void evict_oldest();
  void drop(Bin& bin, std::size_t index);
  double mean_error() const;
  struct Place {
    std::size_t bin;
    const Entry* entry;
  };
  Place find(std::int64_t first_bin, std::int64_t last_bin, std::uint64_t index) const;
  const at::Tensor& mean_of_bin(std::size_t g, at::IntArrayRef sizes, ErrorEnd end) const;

  Config config_;
  TimeBins time_bins_;
  std::shared_ptr<NodeMemory> memory_;  // null: entries are in memory of this rank
  bool warned_ = false;
  std::vector<Bin> bins_;  // [G]
  /// Means by bin and end, [C, F, h, w] fp32; undefined where the bin has changed since.
  mutable std::vector<std::array<at::Tensor, 2>> means_;
  std::int64_t bytes_ = 0;
  std::int64_t entries_ = 0;
  std::int64_t stored_ = 0;   // ever; also the next entry's order of arrival
  std::int64_t evicted_ = 0;  // ever
};

}  // namespace svi
