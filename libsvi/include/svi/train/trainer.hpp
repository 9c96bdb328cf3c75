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
#include "svi/model/flow_schedule.hpp"
#include "svi/model/model.hpp"
#include "svi/parallel/collective.hpp"
#include "svi/parallel/communicator.hpp"
#include "svi/parallel/shard.hpp"
#include "svi/tensor/named_tensors.hpp"
#include "svi/train/optimizer.hpp"
#include "svi/train/recycler.hpp"

namespace svi {

/// How flow times are drawn: uniformly over the shifted table (dense near noise), or over [0, 1].
enum class TimeSampling { table, uniform };
SVI_EXPORT std::vector<std::string> enum_names(TimeSampling);

/// Which flow times the latent frames of a training sample have.
enum class FrameTimes {
  one,          // one for all
  independent,  // each block of frames its own (Diffusion Forcing, Chen et al. 2024)
  rolling,      // rising behind a clean first frame (Rolling Diffusion, Ruhe et al. 2024)
};
SVI_EXPORT std::vector<std::string> enum_names(FrameTimes);

/// Whether the loss carries the bell-shaped weight of the flow time.
enum class LossWeight { weighted, unweighted };
SVI_EXPORT std::vector<std::string> enum_names(LossWeight);

/// In which precision the frozen weights compute; trained parameters and the optimiser stay fp32.
enum class Precision { fp32, bf16 };
SVI_EXPORT std::vector<std::string> enum_names(Precision);

/// One micro-batch as data provides it. Any device; moved to the model's.
struct TrainingBatch {
  at::Tensor latent;    // [B, C, F, h, w]  clean video latents, unit variance
  Condition condition;  // of the same samples
};

/// Where training batches come from.
class SVI_EXPORT BatchSource {
 public:
  virtual ~BatchSource();

  /// Samples first .. first + count - 1 of the global batch of `step`: a function of these numbers
  /// and the run's seed alone. Called for this rank's samples only.
  virtual TrainingBatch batch(std::int64_t step, std::int64_t first, std::int64_t count) = 0;
  /// What stands for "no prompt" where the text is dropped, [L, D] as in the batch; undefined:
  /// zeros.
  virtual at::Tensor empty_text();
};

/// What one training step did; the same on every rank.
struct StepReport {
  std::int64_t step = 0;       // from 0
  double loss = 0;             // mean over the global batch, as minimised
  double unweighted_loss = 0;  // without the weight of the flow time
  double gradient_norm = 0;    // before clipping
  double learning_rate = 0;    // of this step
  std::int64_t samples = 0;    // of the global batch; the counts below are among them
  std::int64_t clean = 0, noise_hits = 0, latent_hits = 0, image_hits = 0;  // samples with each
  std::int64_t rollouts = 0;  // clips generated before this step
  /// Every `bank_report_every` steps, if there is a bank: the common one, or rank 0's first.
  std::optional<BankStatistics> bank;
};

/// Flow-matching training with or without error recycling.
///
/// One step, per sample, all draws keyed by (seed, purpose, sample, step): noise n, flow time,
/// dropped conditions, injected errors (Recycler); loss = mean |v_hat - v*|^2 w(time); gradients
/// are summed over slots in a fixed order, clipped, and AdamW moves the flat parameters. So the
/// numbers are the same on any number of ranks. Every method but the plain accessors is collective.
class SVI_EXPORT Trainer {
 public:
  struct Config {
    std::int64_t steps = 1000;
    std::int64_t slots = 1;
    std::int64_t micro_batch = 1;
    double shift = 5;
    TimeSampling time_sampling = TimeSampling::table;
    FrameTimes frame_times = FrameTimes::one;
    std::int64_t frame_time_block = 1;
    double frame_time_probability = 1;
    LossWeight loss_weight = LossWeight::weighted;
    Precision dtype = Precision::fp32;
    double text_drop = 0;
    double image_drop = 0;
    double ema_decay = 0;
    std::int64_t bank_report_every = 50;
    OptimizerConfig optimizer = {};  // AdamW

    void describe(OptionVisitor& visit);
  };

  /// What a trainer works with; borrowed for its lifetime.
  struct Parts {
    const VelocityModel& model;  // predicts the velocity
    /// Leaf tensors that collect gradients: WanDit::parameters() or those of a Lora. Changed in
    /// place.
    NamedTensors trainable;
    BatchSource& data;               // gives the batches
    Collective& collective;          // connected to `group`
    Recycler* recycler = nullptr;    // null: plain fine-tuning or pretraining
    ClipGenerator* clips = nullptr;  // needed where the error source wants rollouts
    /// Further condition parts that a sample may lose, and with what probability: zeros take their
    /// place. Drawn by name, so that other parts' draws stay the same.
    std::vector<std::pair<std::string, double>> drops = {};
  };
  /// The ranks of `group` share the slots.
  Trainer(Config config, Parts parts, std::uint64_t seed, const Communicator& group);
  ~Trainer();

  /// One step. Throws Error on every rank, naming step and sample, if a loss is not finite; nothing
  /// was changed then but the generated clips' errors.
  StepReport step();
  /// Steps until `steps` are done in all since the beginning (default: the last), telling `observe`
  /// of each.
  void run(const std::function<void(const StepReport&)>& observe, std::int64_t steps = -1);
  std::int64_t steps_done() const { return steps_done_; }         // since the beginning
  bool finished() const { return steps_done_ >= config_.steps; }  // whether all steps are done

  /// Running average of the parameters by name (a copy), or the parameters themselves where
  /// ema_decay = 0.
  NamedTensors averaged() const;

  /// Everything needed to go on as if never interrupted: parameters, averages, optimiser, banks,
  /// counters. Equal on all ranks and for any number of them. Collective.
  NamedTensors state() const;
  /// Throws IoError if the state is incomplete or of another shape of run. Any number of ranks.
  void load(const NamedTensors& state);

 private:
  struct SlotResult;

  SlotResult train_slot(std::int64_t slot);
  TrainingBatch prepare(std::int64_t first);
  std::vector<bool> drop_conditions(std::int64_t first, Condition& condition);
  /// sigma and weight of a micro-batch of `frames` latent frames: [2, B], or [2, B, F] where frames
  /// have times of their own; fp32 on the CPU.
  at::Tensor draw_times(std::int64_t first, std::int64_t frames) const;
  at::Tensor take_gradient();
  void write_parameters();
  StepReport gather_report(const std::vector<SlotResult>& results);

  Config config_;
  Parts parts_;
  std::uint64_t seed_;
  Communicator group_;
  SlotRange own_;
  FlowSchedule schedule_;
  at::Tensor parameters_;  // [P] fp32, on the model's device
  at::Tensor average_;     // [P] fp32 or undefined
  std::unique_ptr<Optimizer> optimizer_;
  std::int64_t steps_done_ = 0;
};

}  // namespace svi
