#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "svi/config/option.hpp"
#include "svi/core/export.hpp"
#include "svi/error/error_source.hpp"
#include "svi/injection/injection_policy.hpp"
#include "svi/memory/memory_bank.hpp"
#include "svi/parallel/collective.hpp"
#include "svi/parallel/communicator.hpp"
#include "svi/parallel/shard.hpp"

namespace svi {

/// Who remembers whose errors. A slot is one micro-batch of the global batch; slots, not ranks, own
/// banks, so that no mode depends on the number of ranks.
enum class BankSharing {
  all,     // one common bank: every sample's error reaches it
  warmup,  // one bank per slot; all receive every error for `warmup_steps`, then each its own
           // slot's
  none,    // one bank per slot, each with its own slot's errors
};
SVI_EXPORT std::vector<std::string> enum_names(BankSharing);

/// How often the common bank of share = all lies in memory.
enum class BankCopies {
  node,  // once per node, where its ranks share memory
  rank,  // once per rank
};
SVI_EXPORT std::vector<std::string> enum_names(BankCopies);

/// Which training samples a batch holds, and when.
struct BatchPlace {
  std::int64_t step = 0;          // of training, from 0
  std::int64_t total_steps = 1;   // length of the training
  std::int64_t slot = 0;          // of the global batch
  std::int64_t first_sample = 0;  // index of sample 0 in the global batch
};

/// One micro-batch before injection; borrowed. All on one device, fp32.
struct CleanBatch {
  const at::Tensor& latent;  // [B, C, F, h, w]      x
  const at::Tensor& noise;   // [B, C, F, h, w]      n
  const at::Tensor& image;   // [B, 4 + C, F, h, w]  y; undefined for text-to-video
  const at::Tensor& sigma;   // [B]                  flow time in [0, 1]
  /// Samples whose condition is dropped, and which image errors therefore pass over; empty: none.
  std::vector<bool> image_dropped = {};
};

/// What became of one sample.
struct SampleRecord {
  bool clean = false;                                             // by the policy's clean switch
  bool noise_hit = false, latent_hit = false, image_hit = false;  // an error was found and added
};

/// One micro-batch after injection.
struct RecycledBatch {
  at::Tensor noisy;         // [B, C, F, h, w]      (1 - sigma) (x + E_x) + sigma (n + E_n)
  at::Tensor target;        // [B, C, F, h, w]      v* = n + E_n - x
  at::Tensor image;         // [B, 4 + C, F, h, w]  y with errors in its latent channels
  at::Tensor latent_error;  // [B, C, F, h, w]      E_x; undefined: nowhere
  at::Tensor noise_error;   // [B, C, F, h, w]      E_n; undefined: nowhere
  std::vector<SampleRecord> samples;  // [B]
};

/// Where one clip generated during training begins.
struct CarriedStart {
  std::int64_t index = 0;  // of the clip among all of its step
  /// [C, F, h, w], F may be fewer frames: added to the condition latents; undefined: nothing is.
  at::Tensor carried = {};
};

/// Clips generated during training beside the truth, for on-policy error sources.
struct GeneratedClips {
  at::Tensor truth;      // [B, C, F, h, w]  condition latents of the true last frames
  at::Tensor generated;  // [B, C, F, h, w]  condition latents of the generated last frames
};

/// Generates clips with the model being trained.
class SVI_EXPORT ClipGenerator {
 public:
  virtual ~ClipGenerator();

  /// One clip per start, as one batch; at least one. What a clip is depends on step, index, what it
  /// carries and the seed alone, but for the rounding of batched kernels.
  virtual GeneratedClips generate(std::int64_t step, const std::vector<CarriedStart>& starts) = 0;
};

/// Composes error source, injection policy and memory around a training step (Li et al. 2025,
/// arXiv 2510.09212).
///
/// Per step: `inject` and `collect` for each own slot, then `finish_step` once. Banks change only
/// in `finish_step` and `run_rollouts`, which are collective and store in the order of samples, so
/// that every number is the same on any number of ranks.
class SVI_EXPORT Recycler {
 public:
  struct Config {
    BankSharing share = BankSharing::all;
    std::int64_t warmup_steps = 50;
    BankCopies copies = BankCopies::node;
    double clean_bank_probability = 0.1;
    bool keep_bank = false;  // the composer's: a recycler writes no files

    void describe(OptionVisitor& visit);
  };

  /// The components that a recycler composes; borrowed, but for the banks it has made.
  struct Parts {
    const ErrorSource& source;                               // says what is error
    const InjectionPolicy& policy;                           // says when errors are injected
    std::function<std::unique_ptr<MemoryBank>()> make_bank;  // called once per bank
  };

  /// The global batch is `slots` of `micro_batch` samples, spread over the ranks of `group` by
  /// slots_of. Collective, like the destruction.
  Recycler(Config config, Parts parts, std::uint64_t seed, std::int64_t slots,
           std::int64_t micro_batch, const Communicator& group);
  ~Recycler();

  /// Banks what the source has to begin with, in every bank, and logs what banks will take. Once,
  /// before the first step or `load`; `latent` is [C, F, h, w]. Throws IoError, for a file that is
  /// missing or does not fit.
  void preload(at::IntArrayRef latent);
  /// Applies the policy's draws to one slot's batch. An injection that finds no entry does nothing.
  RecycledBatch inject(const BatchPlace& place, const CleanBatch& batch) const;
  /// Extracts the slot's errors and keeps them until `finish_step`. `predicted` [B, C, F, h, w].
  void collect(const BatchPlace& place, const CleanBatch& batch, const RecycledBatch& recycled,
               const at::Tensor& predicted);
  /// Banks what was collected. Collective; every rank calls it, also those without a slot.
  void finish_step(std::int64_t step, Collective& collective);

  /// Generates and banks the clips the source wants before `step`; returns how many. Collective.
  /// Clip i belongs to slot i mod `slots`; those of one slot are one batch, so that batches, and
  /// with them the last bits, do not depend on the number of ranks.
  std::int64_t run_rollouts(std::int64_t step, ClipGenerator& generator, Collective& collective);

  /// What the banks will take, for people; `latent` is [C, F, h, w].
  std::string memory_report(at::IntArrayRef latent) const;

  /// Of the common bank, or of this rank's first slot (empty if it has none).
  BankStatistics statistics() const;

  /// What all banks hold, each error once, by step and sample: the same on any number of ranks.
  /// Collective; costs the memory of all banks on every rank where slots have their own.
  std::vector<BankedError> errors() const;

  /// The banks of all slots, the same on any number of ranks. Collective. Costs the memory of all
  /// banks on every rank where slots have their own; a common bank's tensors are its own, which the
  /// next step may overwrite.
  NamedTensors state() const;
  /// Takes the banks this rank needs. Throws IoError if one is missing.
  void load(const NamedTensors& state);

 private:
  MemoryBank* bank_of(std::int64_t slot) const;
  std::optional<at::Tensor> recall(const Recall& request, const BatchPlace& place,
                                   ErrorStructure structure, const at::Tensor& like) const;
  void hit_image(const BatchPlace& place, const Injection& injection, double sigma, std::int64_t b,
                 RecycledBatch& recycled) const;
  bool shared_at(std::int64_t step) const;
  std::vector<BankedError> generate_for(std::int64_t slot, std::int64_t step, std::int64_t count,
                                        ClipGenerator& generator) const;
  void bank(std::vector<BankedError> errors, std::int64_t step, std::int64_t most_per_rank,
            std::uint32_t stream, const std::function<std::int64_t(std::int64_t)>& slot_of,
            Collective& collective);

  Config config_;
  Parts parts_;
  std::uint64_t seed_;
  std::int64_t slots_, micro_batch_;
  Communicator group_;
  SlotRange own_;
  std::shared_ptr<NodeMemory> memory_;              // of the common bank; null: this rank's own
  std::vector<std::unique_ptr<MemoryBank>> banks_;  // one, or one per own slot
  std::vector<BankedError> pending_;
};

}  // namespace svi
