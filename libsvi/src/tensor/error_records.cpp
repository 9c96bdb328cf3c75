#include "svi/tensor/error_records.hpp"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>

#include "svi/core/check.hpp"

namespace svi {

namespace {

enum Column {
  kStep,
  kSample,
  kClean,
  kDepth,
  kSigma,
  kDataGain,
  kNoiseGain,
  kDataOffset,
  kNoiseOffset,
  kFrames,
  kColumns
};

const std::string& name_of(Column column) {
  return error_columns()[static_cast<std::size_t>(column)];
}

/// `tensor` [C, F, h, w] with zeros after its last frame, up to `frames`.
at::Tensor padded(const at::Tensor& tensor, std::int64_t frames) {
  if (tensor.size(1) == frames) return tensor;
  auto sizes = tensor.sizes().vec();
  sizes[1] = frames;
  auto wide = at::zeros(sizes, tensor.options());
  wide.narrow(1, 0, tensor.size(1)).copy_(tensor);
  return wide;
}

bool fit_together(const at::Tensor& a, const at::Tensor& b) {
  return a.size(0) == b.size(0) && a.sizes().slice(2) == b.sizes().slice(2);
}

/// Finds and checks tensors and numbers of one file.
class Reader {
 public:
  Reader(const NamedTensors& tensors, const std::string& origin)
      : tensors_(tensors), origin_(origin) {}

  template <class... Parts>
  [[noreturn]] void refuse(const Parts&... parts) const {
    raise<IoError>(origin_, ": not a bank of errors: ", parts...,
                   "; such files are written with [recycling] keep_bank = on");
  }

  const at::Tensor* find(const std::string& name) const {
    for (const auto& [each, tensor] : tensors_) {
      if (each == name) return &tensor;
    }
    return nullptr;
  }

  const at::Tensor& get(const std::string& name, std::int64_t axes) const {
    const auto* tensor = find(name);
    if (tensor == nullptr) refuse("tensor '", name, "' is missing");
    if (tensor->dim() != axes || !tensor->is_floating_point()) {
      refuse("tensor '", name, "' has sizes ", tensor->sizes(), " and type ",
             tensor->scalar_type());
    }
    return *tensor;
  }

  /// A whole number from `low` to `high`. Checked first: turning any other double into an integer
  /// is undefined.
  std::int64_t whole(const double* row, Column column, double low, double high) const {
    const double value = row[column];
    if (!(value >= low && value <= high) || value != std::floor(value)) {
      refuse("column ", name_of(column), " holds ", value);
    }
    return static_cast<std::int64_t>(value);
  }

  double finite(const double* row, Column column) const {
    if (!std::isfinite(row[column])) {
      refuse("column ", name_of(column), " holds ", row[column]);
    }
    return row[column];
  }

 private:
  const NamedTensors& tensors_;
  const std::string& origin_;
};

}  // namespace

const std::vector<std::string>& error_columns() {
  static const std::vector<std::string> names = {
      "step",      "sample",     "clean",       "depth",        "sigma",
      "data_gain", "noise_gain", "data_offset", "noise_offset", "frames"};
  return names;
}

NamedTensors pack_errors(const std::vector<BankedError>& errors) {
  const auto table = at::zeros({static_cast<std::int64_t>(errors.size()), kColumns}, at::kDouble);
  auto* row = table.mutable_data_ptr<double>();
  std::vector<at::Tensor> residuals, offsets;
  std::int64_t frames = 0;
  for (const auto& error : errors) frames = std::max(frames, error.residual.size(1));
  const auto keep = [&](const at::Tensor& offset) {
    if (!offset.defined()) return -1.0;
    offsets.push_back(padded(offset.to(at::kCPU, at::kFloat), frames));
    return static_cast<double>(offsets.size() - 1);
  };
  for (const auto& error : errors) {
    SVI_CHECK(fit_together(error.residual, errors.front().residual),
              "errors of one file differ in more than their frames: ", error.residual.sizes(),
              " and ", errors.front().residual.sizes());
    residuals.push_back(
        padded(error.residual.to(at::kCPU, errors.front().residual.scalar_type()), frames));
    row[kStep] = static_cast<double>(error.step);
    row[kSample] = static_cast<double>(error.sample);
    row[kClean] = error.clean ? 1 : 0;
    row[kDepth] = static_cast<double>(error.depth);
    row[kSigma] = error.sigma;
    row[kDataGain] = error.data_gain;
    row[kNoiseGain] = error.noise_gain;
    row[kDataOffset] = keep(error.data_offset);
    const bool shared =
        error.noise_offset.defined() && error.noise_offset.is_same(error.data_offset);
    row[kNoiseOffset] = shared ? row[kDataOffset] : keep(error.noise_offset);
    row[kFrames] = static_cast<double>(error.residual.size(1));
    row += kColumns;
  }
  NamedTensors tensors = {
      {"errors", table},
      {"residual", residuals.empty() ? at::zeros({0, 0, 0, 0, 0}) : at::stack(residuals)}};
  if (!offsets.empty()) tensors.emplace_back("offset", at::stack(offsets));
  return tensors;
}

std::vector<BankedError> unpack_errors(const NamedTensors& tensors, const std::string& origin) {
  constexpr double kLargest = 9007199254740992.0;  // 2^53: beyond it doubles skip whole numbers
  const Reader reader(tensors, origin);
  const auto table = reader.get("errors", 2).to(at::kCPU, at::kDouble).contiguous();
  const auto& residual = reader.get("residual", 5);
  const auto count = table.size(0);
  if (table.size(1) != kColumns || residual.size(0) != count) {
    reader.refuse("'errors' has sizes ", table.sizes(), ", 'residual' ", residual.sizes());
  }
  at::Tensor offset;
  if (reader.find("offset") != nullptr) {
    offset = reader.get("offset", 5);
    if (offset.sizes().slice(1) != residual.sizes().slice(1)) {
      reader.refuse("'offset' has sizes ", offset.sizes(), ", 'residual' ", residual.sizes());
    }
  }
  const double last_offset = offset.defined() ? static_cast<double>(offset.size(0) - 1) : -1;
  std::vector<BankedError> errors;
  for (std::int64_t i = 0; i < count; ++i) {
    const double* row = table.const_data_ptr<double>() + i * kColumns;
    const auto data = reader.whole(row, kDataOffset, -1, last_offset);
    const auto noise = reader.whole(row, kNoiseOffset, -1, last_offset);
    BankedError error;
    const auto frames = reader.whole(
        row, kFrames, 1, static_cast<double>(std::max<std::int64_t>(residual.size(2), 1)));
    const auto own = [&](const at::Tensor& wide) { return wide.narrow(1, 0, frames); };
    error.residual = own(residual[i]);
    if (data >= 0) error.data_offset = own(offset[data]);
    if (noise >= 0) error.noise_offset = noise == data ? error.data_offset : own(offset[noise]);
    error.step = reader.whole(row, kStep, 0, kLargest);
    error.sample = reader.whole(row, kSample, 0, kLargest);
    error.clean = reader.whole(row, kClean, 0, 1) != 0;
    error.depth = reader.whole(row, kDepth, 0, kLargest);
    error.sigma = reader.finite(row, kSigma);
    if (error.sigma < 0 || error.sigma > 1) reader.refuse("sigma ", error.sigma);
    error.data_gain = reader.finite(row, kDataGain);
    error.noise_gain = reader.finite(row, kNoiseGain);
    errors.push_back(std::move(error));
  }
  return errors;
}

}  // namespace svi
