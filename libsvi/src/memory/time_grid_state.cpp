#include <ATen/ATen.h>

#include <cmath>
#include <cstdio>
#include <map>

#include "memory/time_grid_detail.hpp"
#include "svi/core/check.hpp"

// State: "time_grid.counters" int64 [4] = bins, entries, stored, evicted;
// "time_grid.entries" fp64 [N, 10], one row per entry in bin order, columns as in `Column` (without
// the last in older states);
// "time_grid.N.residual", ".data_offset", ".noise_offset" per entry, the latter two where they
// exist.

namespace svi {

namespace {

enum Column {
  kBin,
  kOrder,
  kStep,
  kSample,
  kClean,
  kSigma,
  kDataGain,
  kNoiseGain,
  kOffsets,
  kDepth,
  kColumns
};
constexpr std::int64_t kColumnsBeforeDepth = kDepth;
enum OffsetBits { kHasData = 1, kHasNoise = 2, kShared = 4 };

std::string entry_name(std::int64_t index, const char* part) {
  char name[64];
  std::snprintf(name, sizeof name, "time_grid.%06lld.%s", static_cast<long long>(index), part);
  return name;
}

int offset_bits(const BankedError& error) {
  const bool shared = error.noise_offset.defined() && error.noise_offset.is_same(error.data_offset);
  return (error.data_offset.defined() ? kHasData : 0) |
         (error.noise_offset.defined() ? kHasNoise : 0) | (shared ? kShared : 0);
}

/// A column that holds whole numbers. Checked first: turning any other double into an integer is
/// undefined.
std::int64_t whole(const double* row, Column column, std::int64_t entry) {
  constexpr double kLargest = 9007199254740992.0;  // 2^53: beyond it doubles skip whole numbers
  const double value = row[column];
  if (!(value >= -kLargest && value <= kLargest) || value != std::floor(value)) {
    raise<IoError>("state of a time_grid bank: entry ", entry, ", column ",
                   static_cast<int>(column), " is ", value, ", not a whole number");
  }
  return static_cast<std::int64_t>(value);
}

/// What `MemoryBank::store` asks of an error, of one that comes from a file.
void check_entry(const BankedError& error, std::int64_t entry) {
  const auto refuse = [&](const auto&... parts) {
    raise<IoError>("state of a time_grid bank: entry ", entry, ": ", parts...);
  };
  const auto sizes = error.residual.sizes();
  if (sizes.size() != 4 || error.residual.numel() == 0)
    refuse("its sizes ", sizes, " are no [C, F, h, w]");
  for (const auto* offset : {&error.data_offset, &error.noise_offset}) {
    if (offset->defined() && offset->sizes() != sizes)
      refuse("an offset has sizes ", offset->sizes(), ", not ", sizes);
  }
  if (!(error.sigma >= 0 && error.sigma <= 1)) refuse("sigma ", error.sigma, " is outside [0, 1]");
}

class Reader {
 public:
  explicit Reader(const NamedTensors& state) : tensors_(state.begin(), state.end()) {}

  const at::Tensor& get(const std::string& name) const {
    const auto found = tensors_.find(name);
    if (found == tensors_.end()) {
      raise<IoError>("this is not the state of a time_grid bank: tensor '", name, "' is missing");
    }
    return found->second;
  }

  at::Tensor table(const std::string& name, at::ScalarType dtype, at::IntArrayRef sizes) const {
    const auto& tensor = get(name);
    if (tensor.sizes() != sizes) {
      raise<IoError>("state of a time_grid bank: tensor '", name, "' has sizes ", tensor.sizes(),
                     ", expected ", sizes);
    }
    return tensor.to(at::kCPU, dtype).contiguous();
  }

 private:
  std::map<std::string, at::Tensor> tensors_;
};

}  // namespace

NamedTensors TimeGridBank::do_state() const {
  const std::int64_t counts[4] = {time_bins_.count(), entries_, stored_, evicted_};
  const auto counters = at::empty({4}, at::kLong);
  std::copy(std::begin(counts), std::end(counts), counters.mutable_data_ptr<std::int64_t>());
  const auto table = at::zeros({entries_, kColumns}, at::kDouble);
  NamedTensors state = {{"time_grid.counters", counters}, {"time_grid.entries", table}};
  std::int64_t index = 0;
  for (std::size_t g = 0; g < bins_.size(); ++g) {
    for (const auto& entry : bins_[g]) {
      const auto& error = entry.error;
      double* row = table.mutable_data_ptr<double>() + index * kColumns;
      row[kBin] = static_cast<double>(g);
      row[kOrder] = static_cast<double>(entry.order);
      row[kStep] = static_cast<double>(error.step);
      row[kSample] = static_cast<double>(error.sample);
      row[kClean] = error.clean ? 1 : 0;
      row[kSigma] = error.sigma;
      row[kDataGain] = error.data_gain;
      row[kNoiseGain] = error.noise_gain;
      row[kOffsets] = offset_bits(error);
      row[kDepth] = static_cast<double>(error.depth);
      state.emplace_back(entry_name(index, "residual"), error.residual);
      if (error.data_offset.defined())
        state.emplace_back(entry_name(index, "data_offset"), error.data_offset);
      if (error.noise_offset.defined() && !(offset_bits(error) & kShared)) {
        state.emplace_back(entry_name(index, "noise_offset"), error.noise_offset);
      }
      ++index;
    }
  }
  return state;
}

void TimeGridBank::do_load(const NamedTensors& state) {
  const Reader reader(state);
  const auto counters = reader.table("time_grid.counters", at::kLong, {4});
  const auto* counts = counters.const_data_ptr<std::int64_t>();
  if (counts[0] != time_bins_.count()) {
    raise<IoError>("the saved bank has ", counts[0], " bins, [memory] bins = ", time_bins_.count(),
                   ": use the same number");
  }
  if (counts[1] < 0) raise<IoError>("state of a time_grid bank: ", counts[1], " entries");
  const auto& saved = reader.get("time_grid.entries");
  const bool has_depth = saved.dim() != 2 || saved.size(1) != kColumnsBeforeDepth;
  const auto columns = has_depth ? std::int64_t{kColumns} : kColumnsBeforeDepth;
  const auto table = reader.table("time_grid.entries", at::kDouble, {counts[1], columns});
  std::vector<Bin> bins(bins_.size());
  std::int64_t bytes = 0;
  for (std::int64_t i = 0; i < counts[1]; ++i) {
    const double* row = table.const_data_ptr<double>() + i * columns;
    const auto offsets = whole(row, kOffsets, i);
    BankedError error;
    error.residual = reader.get(entry_name(i, "residual"));
    if (offsets & kHasData) error.data_offset = reader.get(entry_name(i, "data_offset"));
    if (offsets & kShared) {
      error.noise_offset = error.data_offset;
    } else if (offsets & kHasNoise) {
      error.noise_offset = reader.get(entry_name(i, "noise_offset"));
    }
    error.data_gain = row[kDataGain];
    error.noise_gain = row[kNoiseGain];
    error.sigma = row[kSigma];
    error.step = whole(row, kStep, i);
    error.sample = whole(row, kSample, i);
    error.clean = row[kClean] != 0;
    if (has_depth) error.depth = whole(row, kDepth, i);
    check_entry(error, i);
    const auto g = whole(row, kBin, i);
    if (g < 0 || g >= time_bins_.count())
      raise<IoError>("state of a time_grid bank: entry ", i, " is in bin ", g);
    auto entry = make_entry(error);
    settle(entry);
    entry.order = whole(row, kOrder, i);
    bytes += entry.error.bytes();
    bins[static_cast<std::size_t>(g)].push_back(std::move(entry));
    if (static_cast<std::int64_t>(bins[static_cast<std::size_t>(g)].size()) > config_.capacity) {
      raise<IoError>("the saved bank has more than [memory] capacity = ", config_.capacity,
                     " errors in bin ", g, ": raise the capacity to the one it was saved with");
    }
  }
  bins_ = std::move(bins);
  means_.assign(means_.size(), {});
  bytes_ = bytes;
  entries_ = counts[1];
  stored_ = counts[2];
  evicted_ = counts[3];
}

}  // namespace svi
