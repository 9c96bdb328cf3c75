#include "svi/train/trainer.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <cmath>

#include "svi/core/check.hpp"
#include "svi/model/extension.hpp"
#include "svi/tensor/dims.hpp"
#include "svi/tensor/random.hpp"

namespace svi {

namespace {

enum Column { kLoss, kUnweighted, kClean, kNoiseHit, kLatentHit, kImageHit, kColumns };

RandomKey key_of(std::uint64_t seed, Purpose purpose, std::int64_t sample, std::int64_t step) {
  return {seed, purpose, static_cast<std::uint32_t>(sample), static_cast<std::uint32_t>(step)};
}

}  // namespace

/// What one slot leaves for the report: [B, kColumns] fp64 on the CPU.
struct Trainer::SlotResult {
  at::Tensor rows;
};

BatchSource::~BatchSource() = default;
at::Tensor BatchSource::empty_text() { return {}; }

Trainer::Trainer(Config config, Parts parts, std::uint64_t seed, const Communicator& group)
    : config_(config),
      parts_(std::move(parts)),
      seed_(seed),
      group_(group),
      own_(slots_of(group.rank(), group.size(), config.slots)),
      schedule_(1000, config.shift) {
  SVI_CHECK(!parts_.trainable.empty(), "there is nothing to train");
  if (config_.frame_times != FrameTimes::one && parts_.recycler != nullptr) {
    raise<ConfigError>(
        "[training] frame_times: errors are recycled at one flow time per sample, so "
        "frames have none of their own; set [error_source] type = none, or "
        "frame_times = one");
  }
  const c10::NoGradGuard no_grad;
  std::vector<at::Tensor> flat;
  for (const auto& [name, tensor] : parts_.trainable) {
    SVI_CHECK(tensor.requires_grad() && tensor.is_leaf(), "'", name, "' collects no gradient");
    flat.push_back(tensor.detach().flatten().to(at::kFloat));
  }
  for (const auto& [name, probability] : parts_.drops)
    SVI_CHECK(probability >= 0 && probability <= 1, "part ", name, " is dropped with probability ",
              probability);
  parameters_ = at::cat(flat);
  if (config_.ema_decay > 0) average_ = parameters_.clone();
  optimizer_ = std::make_unique<Optimizer>(config_.optimizer, parameters_, config_.steps);
}

Trainer::~Trainer() = default;

std::vector<bool> Trainer::drop_conditions(std::int64_t first, Condition& condition) {
  std::vector<bool> image_dropped(static_cast<std::size_t>(config_.micro_batch), false);
  if (config_.text_drop == 0 && config_.image_drop == 0 && parts_.drops.empty())
    return image_dropped;
  condition = condition.clone();
  for (std::int64_t b = 0; b < config_.micro_batch; ++b) {
    const auto key = key_of(seed_, Purpose::condition_drop, first + b, steps_done_);
    if (uniform(key, 0) < config_.text_drop) {
      condition.zero_row(part::kText, b);
      const auto empty = parts_.data.empty_text();
      if (empty.defined() && condition.has(part::kText))
        condition[part::kText][b].narrow(0, 0, empty.size(0)).copy_(empty);
    }
    if (uniform(key, 1) < config_.image_drop) {
      condition.zero_row(part::kImage, b);
      condition.zero_row(part::kClip, b);
      image_dropped[static_cast<std::size_t>(b)] = true;
    }
    for (const auto& [name, probability] : parts_.drops) {
      const auto seed = derive_seed(seed_, number_of_name(name));
      if (uniform(key_of(seed, Purpose::condition_drop, first + b, steps_done_)) < probability)
        condition.zero_row(name, b);
    }
  }
  return image_dropped;
}

TrainingBatch Trainer::prepare(std::int64_t first) {
  auto batch = parts_.data.batch(steps_done_, first, config_.micro_batch);
  const auto sizes = dims<5>(batch.latent, "latent [B, C, F, h, w]");
  SVI_CHECK(sizes[0] == config_.micro_batch, "the batch source returned ", sizes[0],
            " samples, asked for ", config_.micro_batch);
  const auto device = parameters_.device();
  batch.latent = batch.latent.to(device, at::kFloat);
  batch.condition = batch.condition.to(device);
  return batch;
}

Trainer::SlotResult Trainer::train_slot(std::int64_t slot) {
  const auto first = slot * config_.micro_batch;
  auto batch = prepare(first);
  const auto device = parameters_.device();
  std::vector<at::Tensor> noises;
  for (std::int64_t b = 0; b < config_.micro_batch; ++b) {
    noises.push_back(normal(key_of(seed_, Purpose::sample_noise, first + b, steps_done_),
                            batch.latent.sizes().slice(1)));
  }
  const auto noise = at::stack(noises).to(device);                        // [B, C, F, h, w]
  const auto times = draw_times(first, batch.latent.size(2)).to(device);  // [2, B] or [2, B, F]
  const auto sigma = times[0], weight = times[1];
  const auto dropped = drop_conditions(first, batch.condition);

  const CleanBatch clean{batch.latent, noise, batch.condition[part::kImage], sigma, dropped};
  const BatchPlace place{steps_done_, config_.steps, slot, first};
  RecycledBatch seen;
  if (parts_.recycler != nullptr) {
    seen = parts_.recycler->inject(place, clean);
  } else {
    seen.noisy = add_noise(batch.latent, noise, sigma);
    seen.target = target_velocity(batch.latent, noise);
    seen.image = batch.condition[part::kImage];
    seen.samples.resize(static_cast<std::size_t>(config_.micro_batch));
  }
  batch.condition.set(part::kImage, seen.image);

  const c10::AutoGradMode with_gradients(true);
  const auto predicted =
      parts_.model.velocity(seen.noisy, sigma * 1000, batch.condition).to(at::kFloat);
  auto errors = (predicted - seen.target).square();  // [B, C, F, h, w]
  errors = errors.mean(weight.dim() == 2 ? std::vector<std::int64_t>{1, 3, 4}
                                         : std::vector<std::int64_t>{1, 2, 3, 4});
  auto losses = errors * weight;  // [B] or [B, F]
  if (losses.dim() == 2) errors = errors.mean(1), losses = losses.mean(1);
  losses.mean().backward();

  if (parts_.recycler != nullptr) parts_.recycler->collect(place, clean, seen, predicted);
  const auto rows = at::zeros({config_.micro_batch, kColumns}, at::kDouble);
  rows.select(1, kLoss).copy_(losses.detach());
  rows.select(1, kUnweighted).copy_(errors.detach());
  auto row = rows.accessor<double, 2>();
  for (std::int64_t b = 0; b < config_.micro_batch; ++b) {
    const auto& sample = seen.samples[static_cast<std::size_t>(b)];
    row[b][kClean] = sample.clean;
    row[b][kNoiseHit] = sample.noise_hit;
    row[b][kLatentHit] = sample.latent_hit;
    row[b][kImageHit] = sample.image_hit;
  }
  return {rows};
}

at::Tensor Trainer::take_gradient() {
  const c10::NoGradGuard no_grad;
  std::vector<at::Tensor> flat;
  for (const auto& [name, tensor] : parts_.trainable) {
    auto& gradient = tensor.mutable_grad();
    flat.push_back(gradient.defined() ? gradient.flatten().to(at::kFloat)
                                      : at::zeros({tensor.numel()}, parameters_.options()));
  }
  const auto taken = at::cat(flat);  // [P], a copy even of a single tensor
  // Zeroed, not dropped: adapters keep all gradients in one buffer.
  for (const auto& [name, tensor] : parts_.trainable) {
    if (tensor.grad().defined()) tensor.mutable_grad().zero_();
  }
  return taken;
}

void Trainer::write_parameters() {
  const c10::NoGradGuard no_grad;
  std::int64_t offset = 0;
  for (const auto& [name, tensor] : parts_.trainable) {
    tensor.detach().copy_(parameters_.narrow(0, offset, tensor.numel()).view(tensor.sizes()));
    offset += tensor.numel();
  }
}

StepReport Trainer::gather_report(const std::vector<SlotResult>& results) {
  const auto widest = slots_of(0, group_.size(), config_.slots).count;
  const auto table = at::zeros({widest, config_.micro_batch, kColumns}, at::kDouble);
  for (std::size_t i = 0; i < results.size(); ++i)
    table[static_cast<std::int64_t>(i)].copy_(results[i].rows);
  const auto tables =
      group_.size() > 1 ? parts_.collective.all_gather(table) : std::vector<at::Tensor>{table};

  StepReport report;
  report.step = steps_done_;
  report.samples = config_.slots * config_.micro_batch;
  std::int64_t sample = 0;
  for (int rank = 0; rank < group_.size(); ++rank) {
    const auto count = slots_of(rank, group_.size(), config_.slots).count;
    const auto rows = tables[static_cast<std::size_t>(rank)].view({-1, kColumns});
    const auto row = rows.accessor<double, 2>();
    for (std::int64_t i = 0; i < count * config_.micro_batch; ++i, ++sample) {
      SVI_CHECK(std::isfinite(row[i][kUnweighted]), "the loss of training step ", steps_done_,
                ", sample ", sample,
                " is not finite: lower learning_rate, or check the data and the injected scales");
      report.loss += row[i][kLoss];
      report.unweighted_loss += row[i][kUnweighted];
      report.clean += row[i][kClean] != 0;
      report.noise_hits += row[i][kNoiseHit] != 0;
      report.latent_hits += row[i][kLatentHit] != 0;
      report.image_hits += row[i][kImageHit] != 0;
    }
  }
  report.loss /= static_cast<double>(report.samples);
  report.unweighted_loss /= static_cast<double>(report.samples);
  return report;
}

StepReport Trainer::step() {
  std::int64_t rollouts = 0;
  if (parts_.recycler != nullptr && parts_.clips != nullptr) {
    rollouts = parts_.recycler->run_rollouts(steps_done_, *parts_.clips, parts_.collective);
  }
  take_gradient();  // whatever a generator or an interrupted step left behind
  OrderedSum sum(config_.slots, group_);
  std::vector<SlotResult> results;
  for (std::int64_t i = 0; i < own_.count; ++i) {
    results.push_back(train_slot(own_.first + i));
    sum.add(take_gradient());
  }
  auto report = gather_report(results);
  report.rollouts = rollouts;
  auto gradient = sum.finish(parts_.collective).to(parameters_.device());
  gradient.div_(static_cast<double>(config_.slots));
  const auto update = optimizer_->update(gradient);
  report.gradient_norm = update.gradient_norm;
  report.learning_rate = update.learning_rate;
  write_parameters();
  if (average_.defined()) {
    // Early averages would otherwise remember the random start.
    const auto done = static_cast<double>(steps_done_);
    average_.lerp_(parameters_, 1 - std::min(config_.ema_decay, (1 + done) / (10 + done)));
  }
  if (parts_.recycler != nullptr) {
    parts_.recycler->finish_step(steps_done_, parts_.collective);
    if (steps_done_ % config_.bank_report_every == 0) report.bank = parts_.recycler->statistics();
  }
  ++steps_done_;
  return report;
}

void Trainer::run(const std::function<void(const StepReport&)>& observe, std::int64_t steps) {
  const auto end = steps < 0 ? config_.steps : std::min(steps, config_.steps);
  while (steps_done_ < end) {
    const auto report = step();
    if (observe) observe(report);
  }
}

}  // namespace svi
