#include "svi/train/recycler.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <iomanip>
#include <sstream>

#include "svi/core/check.hpp"
#include "svi/core/log.hpp"
#include "svi/model/flow_schedule.hpp"
#include "svi/tensor/dims.hpp"
#include "train/error_exchange_detail.hpp"

namespace svi {

namespace {

// Streams of generated clips, apart from those of training samples.
constexpr std::uint32_t kRolloutStream = 0x80000000U;
// Streams of errors that banks begin with, apart from both.
constexpr std::uint32_t kPreloadStream = 0xC0000000U;

/// E of sample `b` into the batch's error tensor, made when first needed.
void put(at::Tensor& errors, std::int64_t b, const at::Tensor& error, const at::Tensor& like) {
  if (!errors.defined()) errors = at::zeros_like(like);
  errors[b].copy_(error);
}

}  // namespace

std::vector<std::string> enum_names(BankSharing) { return {"all", "warmup", "none"}; }
std::vector<std::string> enum_names(BankCopies) { return {"node", "rank"}; }

void Recycler::Config::describe(OptionVisitor& visit) {
  visit(share, {.key = "share",
                .help = "all: one common bank; warmup: one bank per slot, sharing errors for "
                        "warmup_steps; none: one bank per slot"});
  visit(warmup_steps, {.key = "warmup_steps",
                       .help = "training steps with shared errors, for share = warmup",
                       .unit = "step",
                       .min = 0});
  visit(copies, {.key = "copies",
                 .help = "how often the common bank of share = all lies in memory; node: once per "
                         "node, in memory that its ranks share; rank: once per rank"});
  visit(clean_bank_probability,
        {.key = "clean_bank_probability",
         .help = "probability that the bank stores the error of a clean sample",
         .min = 0,
         .max = 1});
  visit(keep_bank,
        {.key = "keep_bank",
         .help = "write the bank at the end of training to banks/<arm>-seed<S>.safetensors, for "
                 "[error_source] type = recorded or for inspection"});
}

ClipGenerator::~ClipGenerator() = default;

Recycler::Recycler(Config config, Parts parts, std::uint64_t seed, std::int64_t slots,
                   std::int64_t micro_batch, const Communicator& group)
    : config_(config),
      parts_(std::move(parts)),
      seed_(seed),
      slots_(slots),
      micro_batch_(micro_batch),
      group_(group),
      own_(slots_of(group.rank(), group.size(), slots)) {
  const auto count = config_.share == BankSharing::all ? 1 : own_.count;
  for (std::int64_t i = 0; i < count; ++i) banks_.push_back(parts_.make_bank());
  const bool once = config_.share == BankSharing::all && config_.copies == BankCopies::node;
  if (!once || group_.size() == 1) return;
  if (const auto node = group_.node(); node.size() > 1) {
    memory_ = std::make_shared<NodeMemory>(node);
    banks_.front()->keep_in(memory_);
  }
}

Recycler::~Recycler() = default;

MemoryBank* Recycler::bank_of(std::int64_t slot) const {
  if (config_.share == BankSharing::all) return banks_.front().get();
  SVI_CHECK(slot >= own_.first && slot < own_.first + own_.count, "slot ", slot,
            " belongs to another rank");
  return banks_[static_cast<std::size_t>(slot - own_.first)].get();
}

bool Recycler::shared_at(std::int64_t step) const {
  return config_.share == BankSharing::all ||
         (config_.share == BankSharing::warmup && step < config_.warmup_steps);
}

std::optional<at::Tensor> Recycler::recall(const Recall& request, const BatchPlace& place,
                                           ErrorStructure structure, const at::Tensor& like) const {
  auto error = bank_of(place.slot)->recall(request);  // [C, F, h, w]
  if (!error) return std::nullopt;
  const bool fits = error->size(0) == like.size(0) && error->size(2) == like.size(2) &&
                    error->size(3) == like.size(3);
  SVI_CHECK(fits, "a banked error ", error->sizes(), " does not fit a latent ", like.sizes());
  // Each target breaks the structure its own way: its recall's stream under another purpose.
  auto key = request.key;
  key.stream ^= static_cast<std::uint32_t>(key.purpose) << 24;
  key.purpose = Purpose::error_structure;
  return restructured(*error, structure, key).to(like.device());
}

void Recycler::hit_image(const BatchPlace& place, const Injection& injection, double sigma,
                         std::int64_t b, RecycledBatch& recycled) const {
  const auto& clean = recycled.noisy;  // for its sizes alone
  double low = 0, high = 1;
  if (injection.image_scope == RecallScope::same_bin) low = high = sigma;
  if (injection.image_scope == RecallScope::sigma_range) {
    low = injection.image_sigma_low;
    high = injection.image_sigma_high;
  }
  const RandomKey key{seed_, Purpose::recall_image,
                      static_cast<std::uint32_t>(place.first_sample + b),
                      static_cast<std::uint32_t>(place.step)};
  const auto error = recall({ErrorEnd::data, low, high, key}, place, injection.structure, clean[b]);
  if (!error) return;
  const auto channels = clean.size(1);
  const auto frames = std::min({injection.image_frames, error->size(1), clean.size(2)});
  const auto room = error->size(1) - frames;
  const auto first = injection.image_place < 0
                         ? room
                         : static_cast<std::int64_t>(
                               std::floor(injection.image_place * static_cast<double>(room + 1)));
  // The mask channels come first; only the condition latent is hit.
  recycled.image[b]
      .narrow(0, recycled.image.size(1) - channels, channels)
      .narrow(1, 0, frames)
      .add_(error->narrow(1, first, frames), injection.image.scale);
  recycled.samples[static_cast<std::size_t>(b)].image_hit = true;
}

RecycledBatch Recycler::inject(const BatchPlace& place, const CleanBatch& batch) const {
  const c10::NoGradGuard no_grad;
  const auto [B, C, F, h, w] = dims<5>(batch.latent, "latent [B, C, F, h, w]");
  SVI_CHECK(batch.noise.sizes() == batch.latent.sizes(), "noise ", batch.noise.sizes(),
            " vs latent ", batch.latent.sizes());
  SVI_CHECK(dims<1>(batch.sigma, "sigma [B]")[0] == B, "sigma ", batch.sigma.sizes(), " vs latent ",
            batch.latent.sizes());
  if (batch.image.defined()) {
    const auto sizes = dims<5>(batch.image, "image [B, 4 + C, F, h, w]");
    SVI_CHECK(sizes[0] == B && sizes[1] >= C && sizes[2] == F && sizes[3] == h && sizes[4] == w,
              "image ", batch.image.sizes(), " vs latent ", batch.latent.sizes());
  }
  const auto sigmas = batch.sigma.to(at::kCPU, at::kDouble);
  RecycledBatch recycled;
  recycled.noisy = batch.latent;
  recycled.samples.resize(static_cast<std::size_t>(B));
  for (std::int64_t b = 0; b < B; ++b) {
    const auto i = static_cast<std::size_t>(b);
    const double sigma = sigmas.const_data_ptr<double>()[b];
    const auto sample = static_cast<std::uint32_t>(place.first_sample + b);
    const auto step = static_cast<std::uint32_t>(place.step);
    const auto injection = parts_.policy.draw({seed_, sample, step, place.total_steps, sigma});
    auto& record = recycled.samples[i];
    record.clean = injection.clean;
    const auto whole = [&](const InjectionTarget& target, ErrorEnd end, Purpose purpose,
                           at::Tensor& errors) {
      if (!target.hit) return false;
      const auto error = recall({end, sigma, sigma, {seed_, purpose, sample, step}}, place,
                                injection.structure, batch.latent[b]);
      // Errors of fewer frames than a clip are for the condition only.
      if (!error || error->size(1) != F) return false;
      put(errors, b, *error * target.scale, batch.latent);
      return true;
    };
    record.noise_hit =
        whole(injection.noise, ErrorEnd::noise, Purpose::recall_noise, recycled.noise_error);
    record.latent_hit =
        whole(injection.latent, ErrorEnd::data, Purpose::recall_latent, recycled.latent_error);
    const bool dropped = i < batch.image_dropped.size() && batch.image_dropped[i];
    if (injection.image.hit && batch.image.defined() && !dropped) {
      if (!recycled.image.defined()) recycled.image = batch.image.clone();
      hit_image(place, injection, sigma, b, recycled);
    }
  }
  if (!recycled.image.defined()) recycled.image = batch.image;
  const auto noise =
      recycled.noise_error.defined() ? batch.noise + recycled.noise_error : batch.noise;
  const auto latent =
      recycled.latent_error.defined() ? batch.latent + recycled.latent_error : batch.latent;
  recycled.noisy = add_noise(latent, noise, batch.sigma);
  recycled.target = target_velocity(batch.latent, noise);  // clean x, perturbed noise
  return recycled;
}

void Recycler::collect(const BatchPlace& place, const CleanBatch& batch,
                       const RecycledBatch& recycled, const at::Tensor& predicted) {
  const auto detached = predicted.detach().to(at::kFloat);
  auto errors = parts_.source.extract(
      StepView{batch.latent, batch.noise, recycled.noisy, recycled.target, detached, batch.sigma,
               recycled.latent_error, recycled.noise_error, seed_, place.step, place.first_sample});
  SVI_CHECK(batch.latent.size(0) <= micro_batch_, batch.latent.size(0), " samples in a slot of ",
            micro_batch_);
  for (std::size_t b = 0; b < errors.size(); ++b) {
    auto& error = errors[b];
    error.step = place.step;
    error.sample = place.first_sample + static_cast<std::int64_t>(b);
    error.clean = recycled.samples[b].clean;
    const RandomKey key{seed_, Purpose::bank_keep_clean, static_cast<std::uint32_t>(error.sample),
                        static_cast<std::uint32_t>(place.step)};
    if (error.clean && uniform(key) >= config_.clean_bank_probability) continue;
    pending_.push_back(std::move(error));
  }
}

void Recycler::bank(std::vector<BankedError> errors, std::int64_t step, std::int64_t most_per_rank,
                    std::uint32_t stream, const std::function<std::int64_t(std::int64_t)>& slot_of,
                    Collective& collective) {
  const bool shared = shared_at(step);
  if (shared && group_.size() > 1)
    errors = detail::exchange_errors(errors, most_per_rank, collective);
  for (const auto& error : errors) {
    const RandomKey key{seed_, Purpose::bank_evict,
                        stream + static_cast<std::uint32_t>(error.sample),
                        static_cast<std::uint32_t>(step)};
    if (shared) {
      for (const auto& each : banks_) each->store(error, key);
    } else {
      bank_of(slot_of(error.sample))->store(error, key);
    }
  }
}

void Recycler::finish_step(std::int64_t step, Collective& collective) {
  auto errors = std::move(pending_);
  pending_.clear();
  // Ranks may own different numbers of slots; the largest share bounds what one of them sends.
  const auto most = slots_of(0, group_.size(), slots_).count * micro_batch_;
  bank(
      std::move(errors), step, most, 0,
      [this](std::int64_t sample) { return sample / micro_batch_; }, collective);
}

std::vector<BankedError> Recycler::generate_for(std::int64_t slot, std::int64_t step,
                                                std::int64_t count,
                                                ClipGenerator& generator) const {
  const auto deepest = parts_.source.rollout_max_depth();
  std::vector<CarriedStart> starts;
  std::vector<std::int64_t> depths;
  for (auto i = slot; i < count; i += slots_) {
    const auto key = [&](Purpose purpose) {
      return RandomKey{seed_, purpose, kRolloutStream + static_cast<std::uint32_t>(i),
                       static_cast<std::uint32_t>(step)};
    };
    CarriedStart start{i};
    std::int64_t depth = 0;
    if (uniform(key(Purpose::rollout_start)) < parts_.source.rollout_chain_probability()) {
      auto recalled =
          bank_of(slot)->recall_entry({ErrorEnd::data, 0, 0, key(Purpose::recall_image)});
      if (recalled && (deepest == 0 || recalled->depth <= deepest)) {
        start.carried = std::move(recalled->error);
        depth = recalled->depth + 1;
      }
    }
    starts.push_back(std::move(start));
    depths.push_back(depth);
  }
  if (starts.empty()) return {};
  const auto clips = generator.generate(step, starts);
  auto errors = parts_.source.extract(RolloutView{clips.truth, clips.generated});
  for (std::size_t b = 0; b < errors.size(); ++b) {
    errors[b].step = step;
    errors[b].sample = starts.at(b).index;
    errors[b].depth = depths[b];
  }
  return errors;
}

std::int64_t Recycler::run_rollouts(std::int64_t step, ClipGenerator& generator,
                                    Collective& collective) {
  const auto count = parts_.source.rollouts_due(step);
  if (count == 0) return 0;
  std::vector<BankedError> errors;
  for (std::int64_t i = 0; i < own_.count; ++i) {
    for (auto& error : generate_for(own_.first + i, step, count, generator))
      errors.push_back(std::move(error));
  }
  // Made slot by slot, stored clip by clip.
  std::sort(errors.begin(), errors.end(),
            [](const BankedError& a, const BankedError& b) { return a.sample < b.sample; });
  // Some rank may own up to this many: its slots once per round over all slots.
  const auto most = slots_of(0, group_.size(), slots_).count * ((count + slots_ - 1) / slots_);
  bank(
      std::move(errors), step, most, kRolloutStream, [this](std::int64_t i) { return i % slots_; },
      collective);
  return count;
}

std::string Recycler::memory_report(at::IntArrayRef latent) const {
  constexpr double kGibi = 1024.0 * 1024.0 * 1024.0;
  std::string text = cat(slots_, " banks, one per slot");
  if (config_.share == BankSharing::all) {
    text = memory_ ? cat("one bank per node, in memory that its ranks share (", memory_->ranks(),
                         " on this one)")
                   : cat("one bank per rank");
  }
  if (banks_.empty()) return text;
  const auto limit = banks_.front()->limit(latent, 1 + parts_.source.most_offsets());
  if (!limit) return text + ", without a limit of its size";
  std::ostringstream gibi;
  gibi << std::setprecision(3) << static_cast<double>(limit->bytes) / kGibi;
  return cat(text, ", each of at most ", limit->entries, " errors, ", gibi.str(), " GiB (",
             limit->bytes, " bytes)");
}

void Recycler::preload(at::IntArrayRef latent) {
  if (group_.rank() == 0) SVI_INFO("recycler", memory_report(latent));
  std::uint32_t number = 0;
  for (const auto& error : parts_.source.preload(latent)) {
    for (const auto& bank : banks_)
      bank->store(error, {seed_, Purpose::bank_evict, kPreloadStream + number, 0});
    ++number;
  }
}

BankStatistics Recycler::statistics() const {
  return banks_.empty() ? BankStatistics{} : banks_.front()->statistics();
}

}  // namespace svi
