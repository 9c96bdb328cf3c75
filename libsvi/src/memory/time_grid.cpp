#include "svi/memory/time_grid.hpp"

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <utility>

#include "memory/storage_detail.hpp"
#include "memory/time_grid_detail.hpp"
#include "svi/core/check.hpp"
#include "svi/core/log.hpp"

namespace svi {

namespace {

constexpr double kBytesPerMebibyte = 1024.0 * 1024.0;
// The mean over a full bank of large latents would take minutes.
constexpr std::int64_t kMeanErrorEntries = 256;

}  // namespace

std::vector<std::string> enum_names(Eviction) { return {"random", "oldest", "nearest"}; }
std::vector<std::string> enum_names(StorageType) { return {"bf16", "fp32"}; }
std::vector<std::string> enum_names(BankMean) { return {"none", "bin"}; }

void TimeGridBank::Config::describe(OptionVisitor& visit) {
  visit(bins, {.key = "bins",
               .help = "bins of flow time, one per step of the intended sampler",
               .min = 1,
               .max = 1000});
  visit(shift,
        {.key = "shift", .help = "shift of that sampler's schedule", .min = 1e-3, .max = 1000});
  visit(capacity,
        {.key = "capacity", .help = "largest number of errors per bin", .unit = "error", .min = 1});
  visit(eviction, {.key = "eviction", .help = "the error that a full bin removes for a new one"});
  visit(storage, {.key = "storage", .help = "precision of stored residuals"});
  visit(
      byte_budget,
      {.key = "byte_budget",
       .help = "limit of the bank's memory, which with [recycling] share = all is that of a node; "
               "beyond it the bank removes the oldest error of all bins; 0: no limit",
       .unit = "MiB",
       .min = 0});
  visit(max_age, {.key = "max_age",
                  .help = "age at which the bank removes errors; 0: never",
                  .unit = "step",
                  .min = 0});
  visit(remove_mean, {.key = "remove_mean",
                      .help = "bin: subtract the present mean of the bin from a recalled error, so "
                              "that training teaches no bias"});
}

TimeGridBank::TimeGridBank(Config config)
    : config_(config),
      time_bins_(config.bins, config.shift),
      bins_(static_cast<std::size_t>(config.bins)),
      means_(static_cast<std::size_t>(config.bins)) {}

TimeGridBank::~TimeGridBank() = default;

TimeGridBank::Entry TimeGridBank::make_entry(const BankedError& error) const {
  const auto dtype = config_.storage == StorageType::bf16 ? at::kBFloat16 : at::kFloat;
  Entry entry;
  entry.error = error;
  entry.error.residual = detail::stored_copy(error.residual, dtype);
  entry.error.data_offset = detail::stored_copy(error.data_offset, dtype);
  const bool shared = error.noise_offset.defined() && error.noise_offset.is_same(error.data_offset);
  entry.error.noise_offset =
      shared ? entry.error.data_offset : detail::stored_copy(error.noise_offset, dtype);
  entry.own_bytes = entry.error.bytes();
  entry.print = detail::fingerprint(entry.error.residual);
  if (config_.eviction != Eviction::nearest) {
    entry.print.sketch = at::Tensor();
  } else if (entry.has_offsets()) {
    entry.both = detail::fingerprint(
        at::cat({entry.error.at(ErrorEnd::data), entry.error.at(ErrorEnd::noise)}));
  }
  const auto norm = entry.print.whole[0];
  SVI_CHECK(std::isfinite(norm), "an error of step ", error.step, ", sample ", error.sample,
            " is not finite");
  const auto root = std::sqrt(static_cast<double>(entry.error.residual.numel()));
  entry.rms = norm / root;
  const bool plain = !error.data_offset.defined();
  entry.data_rms = plain ? std::abs(error.data_gain) * entry.rms
                         : entry.error.at(ErrorEnd::data).norm().item<double>() / root;
  return entry;
}

/// Moves a new entry's tensors to where its ranks share them.
void TimeGridBank::settle(Entry& entry) {
  if (!memory_) return;
  auto& error = entry.error;
  const bool same = error.noise_offset.defined() && error.noise_offset.is_same(error.data_offset);
  std::vector<at::Tensor*> places;
  for (auto* tensor : {&error.residual, &error.data_offset, same ? nullptr : &error.noise_offset}) {
    if (tensor != nullptr && tensor->defined()) places.push_back(tensor);
  }
  const auto of_the_error = places.size();
  for (auto* print : {&entry.print, entry.both ? &*entry.both : nullptr}) {
    if (print != nullptr && print->sketch.defined()) places.push_back(&print->sketch);
  }
  std::vector<at::Tensor> own;
  for (const auto* place : places) own.push_back(*place);
  const auto kept = memory_->keep(own);
  for (std::size_t i = 0; i < kept.size(); ++i) {
    if (kept[i].room && !memory_->first() && i < of_the_error)
      entry.own_bytes -= static_cast<std::int64_t>(own[i].nbytes());
    *places[i] = kept[i].tensor;
    entry.rooms.push_back(kept[i].room);
  }
  if (same) error.noise_offset = error.data_offset;
}

std::size_t TimeGridBank::pick_victim(const Bin& bin, const Entry& incoming,
                                      const RandomKey& key) const {
  if (config_.eviction == Eviction::random) return uniform_index(key, bin.size());
  if (config_.eviction == Eviction::oldest) {
    std::size_t oldest = 0;
    for (std::size_t i = 1; i < bin.size(); ++i) {
      if (bin[i].order < bin[oldest].order) oldest = i;
    }
    return oldest;
  }
  const bool both = incoming.has_offsets() ||
                    std::any_of(bin.begin(), bin.end(), std::mem_fn(&Entry::has_offsets));
  const auto seen = [&](const Entry& entry) {
    detail::Candidate candidate{&entry.error.residual, &entry.print};
    if (!both) return candidate;
    candidate.error = &entry.error;
    candidate.both = entry.both ? &*entry.both : nullptr;
    return candidate;
  };
  std::vector<detail::Candidate> candidates;
  candidates.reserve(bin.size());
  for (const auto& entry : bin) candidates.push_back(seen(entry));
  return detail::nearest(candidates, seen(incoming));
}

void TimeGridBank::drop(Bin& bin, std::size_t index) {
  bytes_ -= bin[index].error.bytes();
  --entries_;
  ++evicted_;
  bin.erase(bin.begin() + static_cast<std::ptrdiff_t>(index));
  means_[static_cast<std::size_t>(&bin - bins_.data())] = {};
}

void TimeGridBank::evict_older_than(std::int64_t step) {
  for (auto& bin : bins_) {
    for (std::size_t i = bin.size(); i-- > 0;) {
      if (bin[i].error.step < step) drop(bin, i);
    }
  }
}

void TimeGridBank::evict_oldest() {
  Bin* oldest_bin = nullptr;
  std::size_t oldest = 0;
  for (auto& bin : bins_) {
    for (std::size_t i = 0; i < bin.size(); ++i) {
      if (oldest_bin == nullptr || bin[i].order < (*oldest_bin)[oldest].order) {
        oldest_bin = &bin;
        oldest = i;
      }
    }
  }
  if (oldest_bin != nullptr) drop(*oldest_bin, oldest);
}

void TimeGridBank::do_store(const BankedError& error, const RandomKey& key) {
  auto entry = make_entry(error);
  entry.order = stored_++;
  const auto added = entry.error.bytes();
  const double budget = config_.byte_budget * kBytesPerMebibyte;
  if (budget > 0 && static_cast<double>(added) > budget) {
    raise<ConfigError>(
        "[memory] byte_budget = ", config_.byte_budget, " MiB holds not even one error of ",
        static_cast<double>(added) / kBytesPerMebibyte, " MiB: raise it, or set 0 for no limit");
  }
  settle(entry);
  if (config_.max_age > 0) evict_older_than(error.step - config_.max_age);
  const auto g = static_cast<std::size_t>(time_bins_.bin(error.sigma));
  auto& bin = bins_[g];
  means_[g] = {};
  if (static_cast<std::int64_t>(bin.size()) >= config_.capacity) {
    auto& victim = bin[pick_victim(bin, entry, key)];
    bytes_ += added - victim.error.bytes();
    ++evicted_;
    victim = std::move(entry);
  } else {
    bin.push_back(std::move(entry));
    bytes_ += added;
    ++entries_;
  }
  while (budget > 0 && static_cast<double>(bytes_) > budget) {
    warn_of_the_budget();
    evict_oldest();
  }
}

void TimeGridBank::warn_of_the_budget() {
  if (std::exchange(warned_, true) || (memory_ && !memory_->first())) return;
  SVI_WARN("memory", "[memory] byte_budget = ", config_.byte_budget, " MiB is full with ",
           entries_ - 1, " errors of at most ", config_.bins * config_.capacity,
           " (bins x capacity): from now on the oldest error of all bins makes room");
}

std::optional<BankLimit> TimeGridBank::do_limit(at::IntArrayRef shape, std::int64_t tensors) const {
  const std::int64_t size = config_.storage == StorageType::bf16 ? 2 : 4;
  const auto each = c10::multiply_integers(shape) * tensors * size;
  auto entries = config_.bins * config_.capacity;
  if (config_.byte_budget > 0) {
    const double room = config_.byte_budget * kBytesPerMebibyte / static_cast<double>(each);
    entries = static_cast<std::int64_t>(std::min(std::floor(room), static_cast<double>(entries)));
  }
  return BankLimit{entries, entries * each};
}

TimeGridBank::Place TimeGridBank::find(std::int64_t first_bin, std::int64_t last_bin,
                                       std::uint64_t index) const {
  auto g = static_cast<std::size_t>(first_bin);
  for (; g <= static_cast<std::size_t>(last_bin) && index >= bins_[g].size(); ++g) {
    index -= bins_[g].size();
  }
  SVI_CHECK(g <= static_cast<std::size_t>(last_bin), "the bins hold fewer entries than asked for");
  return {g, &bins_[g][index]};
}

const at::Tensor& TimeGridBank::mean_of_bin(std::size_t g, at::IntArrayRef sizes,
                                            ErrorEnd end) const {
  auto& mean = means_[g][end == ErrorEnd::data ? 0 : 1];
  if (mean.defined() && mean.sizes() == sizes) return mean;
  // Summed anew in the order of the bin, rather than kept up to date: a running sum would depend on
  // what was stored and dropped before.
  auto sum = at::zeros(sizes, at::kDouble);
  double count = 0;
  for (const auto& entry : bins_[g]) {
    if (entry.error.residual.sizes() != sizes) continue;
    sum.add_(entry.error.at(end));
    ++count;
  }
  mean = (sum / count).to(at::kFloat);
  return mean;
}

std::optional<Recalled> TimeGridBank::do_recall(const Recall& request) const {
  const auto first = time_bins_.bin(request.sigma_high);  // the noisiest comes first
  const auto last = time_bins_.bin(request.sigma_low);
  std::uint64_t count = 0;
  for (auto g = first; g <= last; ++g) count += bins_[static_cast<std::size_t>(g)].size();
  if (count == 0) return std::nullopt;
  const auto [g, entry] = find(first, last, uniform_index(request.key, count));
  Recalled recalled{entry->error.at(request.end), entry->error.depth};
  if (config_.remove_mean == BankMean::bin)
    recalled.error.sub_(mean_of_bin(g, recalled.error.sizes(), request.end));
  return recalled;
}

bool TimeGridBank::do_has(const Recall& request) const {
  const auto last = time_bins_.bin(request.sigma_low);
  for (auto g = time_bins_.bin(request.sigma_high); g <= last; ++g) {
    if (!bins_[static_cast<std::size_t>(g)].empty()) return true;
  }
  return false;
}

double TimeGridBank::mean_error() const {
  if (entries_ == 0 || config_.remove_mean == BankMean::bin) return 0;
  const auto used = std::min(entries_, kMeanErrorEntries);
  at::Tensor sum;  // [C, F, h, w]  fp64
  std::int64_t summed = 0;
  for (std::int64_t i = 0; i < used; ++i) {
    const auto sampled =
        find(0, time_bins_.count() - 1, static_cast<std::uint64_t>(i * entries_ / used));
    const auto error = sampled.entry->error.at(ErrorEnd::data).to(at::kDouble);
    if (sum.defined() && sum.sizes() != error.sizes()) continue;
    sum = sum.defined() ? sum + error : error;
    ++summed;
  }
  return (sum / summed).square().mean().sqrt().item<double>();
}

BankStatistics TimeGridBank::do_statistics() const {
  BankStatistics statistics;
  statistics.entries = entries_;
  statistics.bytes = bytes_;
  statistics.stored = stored_;
  statistics.evicted = evicted_;
  double data_squares = 0, depths = 0;
  for (const auto& bin : bins_) {
    double squares = 0;
    for (const auto& entry : bin) {
      squares += entry.rms * entry.rms;
      data_squares += entry.data_rms * entry.data_rms;
      statistics.own_bytes += entry.own_bytes;
      depths += static_cast<double>(entry.error.depth);
    }
    const auto count = static_cast<std::int64_t>(bin.size());
    statistics.per_bin.push_back(count);
    statistics.mean_rms.push_back(count > 0 ? std::sqrt(squares / static_cast<double>(count)) : 0);
  }
  if (entries_ > 0) {
    statistics.data_rms = std::sqrt(data_squares / static_cast<double>(entries_));
    statistics.mean_depth = depths / static_cast<double>(entries_);
  }
  const c10::NoGradGuard no_grad;
  statistics.mean_error = mean_error();
  return statistics;
}

std::vector<BankedError> TimeGridBank::do_errors() const {
  std::vector<const Entry*> entries;
  for (const auto& bin : bins_) {
    for (const auto& entry : bin) entries.push_back(&entry);
  }
  std::sort(entries.begin(), entries.end(),
            [](const Entry* a, const Entry* b) { return a->order < b->order; });
  std::vector<BankedError> errors;
  for (const auto* entry : entries) errors.push_back(entry->error);
  return errors;
}

}  // namespace svi
