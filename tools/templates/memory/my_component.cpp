#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <deque>
#include <optional>
#include <svi/core/check.hpp>
#include <svi/memory/memory_bank.hpp>
#include <svi/plugin/plugin.hpp>
#include <svi/tensor/error_records.hpp>
#include <utility>
#include <vector>

namespace {

at::Tensor kept(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.detach().to(at::kFloat).clone() : tensor;
}

/// Keeps the latest errors, whatever their flow time, and recalls any of them.
class MyComponent final : public svi::MemoryBank {
 public:
  struct Config {
    std::int64_t capacity = 500;

    void describe(svi::OptionVisitor& visit) {
      visit(capacity, {.key = "capacity",
                       .help = "largest number of errors; the oldest makes room",
                       .unit = "error",
                       .min = 1});
    }
  };

  explicit MyComponent(Config config) : config_(config) {}

 private:
  void do_store(const svi::BankedError& error, const svi::RandomKey&) override {
    auto copy = error;
    copy.residual = kept(error.residual);
    copy.data_offset = kept(error.data_offset);
    copy.noise_offset = kept(error.noise_offset);
    errors_.push_back(std::move(copy));
    ++stored_;
    if (std::ssize(errors_) > config_.capacity) errors_.pop_front();
  }

  std::optional<svi::Recalled> do_recall(const svi::Recall& request) const override {
    if (errors_.empty()) return std::nullopt;
    const auto& error = errors_[svi::uniform_index(request.key, errors_.size())];
    return svi::Recalled{error.at(request.end), error.depth};
  }
  bool do_has(const svi::Recall&) const override { return !errors_.empty(); }

  std::optional<svi::BankLimit> do_limit(at::IntArrayRef shape,
                                         std::int64_t tensors) const override {
    std::int64_t bytes = tensors * static_cast<std::int64_t>(sizeof(float));
    for (const auto size : shape) bytes *= size;
    return svi::BankLimit{config_.capacity, config_.capacity * bytes};
  }
  svi::BankStatistics do_statistics() const override {
    svi::BankStatistics statistics;
    statistics.entries = std::ssize(errors_);
    statistics.stored = stored_;
    statistics.evicted = stored_ - statistics.entries;
    double residuals = 0, at_data = 0, depths = 0;  // sums of mean squares, and of depths
    for (const auto& error : errors_) {
      statistics.bytes += error.bytes();
      residuals += error.residual.square().mean().item<double>();
      at_data += error.at(svi::ErrorEnd::data).square().mean().item<double>();
      depths += static_cast<double>(error.depth);
    }
    statistics.own_bytes = statistics.bytes;
    const auto count = static_cast<double>(std::max<std::size_t>(1, errors_.size()));
    statistics.per_bin = {statistics.entries};
    statistics.mean_rms = {std::sqrt(residuals / count)};
    statistics.data_rms = std::sqrt(at_data / count);
    statistics.mean_depth = depths / count;
    return statistics;
  }
  std::vector<svi::BankedError> do_errors() const override {
    return {errors_.begin(), errors_.end()};
  }

  svi::NamedTensors do_state() const override {
    auto state = svi::pack_errors(do_errors());
    state.emplace_back("stored", at::tensor({stored_}, at::kLong));
    return state;
  }
  void do_load(const svi::NamedTensors& state) override {
    svi::NamedTensors packed;
    std::int64_t stored = -1;
    for (const auto& [name, tensor] : state) {
      if (name != "stored") {
        packed.emplace_back(name, tensor);
      } else if (tensor.scalar_type() == at::kLong && tensor.numel() == 1) {
        stored = tensor.item<std::int64_t>();
      }
    }
    const auto errors = svi::unpack_errors(packed, "state of a my_component bank");
    if (stored < std::ssize(errors))
      svi::raise<svi::IoError>("state of a my_component bank: 'stored' is missing or too small");
    errors_ = {errors.begin(), errors.end()};
    stored_ = stored;
  }

  Config config_;
  std::deque<svi::BankedError> errors_;  // the oldest first
  std::int64_t stored_ = 0;              // ever
};

}  // namespace

SVI_PLUGIN("my_component", "0.1.0", registrar) {
  registrar.add<svi::MemoryBank, MyComponent>("my_component",
                                              "the latest errors, whatever their flow time");
}
