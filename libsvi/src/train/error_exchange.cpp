#include <ATen/ATen.h>

#include <algorithm>

#include "svi/core/check.hpp"
#include "train/error_exchange_detail.hpp"

namespace svi::detail {

namespace {

enum Column {
  kValid,
  kSample,
  kStep,
  kClean,
  kSigma,
  kDataGain,
  kNoiseGain,
  kOffsets,
  kDepth,
  kC,
  kF,
  kH,
  kW,
  kColumns
};
enum OffsetBits { kHasData = 1, kHasNoise = 2, kShared = 4 };

int offset_bits(const BankedError& error) {
  const bool shared = error.noise_offset.defined() && error.noise_offset.is_same(error.data_offset);
  return (error.data_offset.defined() ? kHasData : 0) |
         (error.noise_offset.defined() ? kHasNoise : 0) | (shared ? kShared : 0);
}

at::Tensor table_of(const std::vector<BankedError>& own, std::int64_t most) {
  const auto table = at::zeros({most, kColumns}, at::kDouble);
  auto* row = table.mutable_data_ptr<double>();
  for (const auto& error : own) {
    row[kValid] = 1;
    row[kSample] = static_cast<double>(error.sample);
    row[kStep] = static_cast<double>(error.step);
    row[kClean] = error.clean ? 1 : 0;
    row[kSigma] = error.sigma;
    row[kDataGain] = error.data_gain;
    row[kNoiseGain] = error.noise_gain;
    row[kOffsets] = offset_bits(error);
    row[kDepth] = static_cast<double>(error.depth);
    for (int d = 0; d < 4; ++d) row[kC + d] = static_cast<double>(error.residual.size(d));
    row += kColumns;
  }
  return table;
}

BankedError error_of(const double* row) {
  BankedError error;
  error.sample = static_cast<std::int64_t>(row[kSample]);
  error.step = static_cast<std::int64_t>(row[kStep]);
  error.clean = row[kClean] != 0;
  error.depth = static_cast<std::int64_t>(row[kDepth]);
  error.sigma = row[kSigma];
  error.data_gain = row[kDataGain];
  error.noise_gain = row[kNoiseGain];
  return error;
}

/// Gathers one tensor of each error; `part` picks it, undefined ones travel as zeros.
template <class Part>
std::vector<at::Tensor> gather_part(const std::vector<BankedError>& own, std::int64_t most,
                                    at::IntArrayRef shape, Part part, Collective& collective) {
  const auto device = own.empty() ? at::Device(at::kCPU) : own.front().residual.device();
  std::vector<std::int64_t> sizes = {most};
  sizes.insert(sizes.end(), shape.begin(), shape.end());
  const auto packed = at::zeros(sizes, at::TensorOptions().dtype(at::kFloat).device(device));
  for (std::size_t i = 0; i < own.size(); ++i) {
    const at::Tensor& tensor = part(own[i]);
    if (tensor.defined()) packed[static_cast<std::int64_t>(i)].copy_(tensor);
  }
  return collective.all_gather(packed);
}

}  // namespace

std::vector<BankedError> exchange_errors(const std::vector<BankedError>& own, std::int64_t most,
                                         Collective& collective) {
  SVI_CHECK(static_cast<std::int64_t>(own.size()) <= most, own.size(), " errors where at most ",
            most, " were announced");
  const auto tables = collective.all_gather(table_of(own, most));
  std::int64_t longest = 0;
  int offsets = 0;
  std::vector<std::int64_t> shape;
  for (const auto& table : tables) {
    const auto* row = table.const_data_ptr<double>();
    for (std::int64_t i = 0; i < most && row[kValid] != 0; ++i, row += kColumns) {
      const std::vector<std::int64_t> sizes(row + kC, row + kC + 4);
      if (shape.empty()) shape = sizes;
      SVI_CHECK(sizes == shape, "errors of one step differ in shape: ", sizes, " and ", shape);
      longest = std::max(longest, i + 1);
      offsets |= static_cast<int>(row[kOffsets]);
    }
  }
  if (longest == 0) return {};

  const auto gather = [&](auto part) { return gather_part(own, longest, shape, part, collective); };
  const auto residuals =
      gather([](const BankedError& e) -> const at::Tensor& { return e.residual; });
  std::vector<at::Tensor> data, noise;
  if (offsets & kHasData)
    data = gather([](const BankedError& e) -> const at::Tensor& { return e.data_offset; });
  if (offsets & kHasNoise)
    noise = gather([](const BankedError& e) -> const at::Tensor& { return e.noise_offset; });

  std::vector<BankedError> all;
  for (std::size_t rank = 0; rank < tables.size(); ++rank) {
    const auto* row = tables[rank].const_data_ptr<double>();
    for (std::int64_t i = 0; i < most && row[kValid] != 0; ++i, row += kColumns) {
      const auto bits = static_cast<int>(row[kOffsets]);
      auto error = error_of(row);
      error.residual = residuals[rank][i];
      if (bits & kHasData) error.data_offset = data[rank][i];
      if (bits & kHasNoise)
        error.noise_offset = bits & kShared ? error.data_offset : noise[rank][i];
      all.push_back(std::move(error));
    }
  }
  std::stable_sort(all.begin(), all.end(),
                   [](const BankedError& a, const BankedError& b) { return a.sample < b.sample; });
  return all;
}

}  // namespace svi::detail
