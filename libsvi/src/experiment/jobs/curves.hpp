#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <string>
#include <vector>

#include "svi/core/check.hpp"
#include "svi/io/result_file.hpp"

namespace svi {

/// Training curves as they grow: one row per step, one column per quantity; part of every
/// checkpoint, so that a resumed run's curves have no gap.
class Curves {
 public:
  struct Column {
    std::string name, unit, meaning;
  };

  explicit Curves(std::vector<Column> columns) : columns_(std::move(columns)) {}

  void add(const std::vector<double>& row) { rows_.insert(rows_.end(), row.begin(), row.end()); }

  at::Tensor state() const {  // [steps, columns]
    return at::tensor(rows_, at::kDouble).view({-1, static_cast<std::int64_t>(columns_.size())});
  }
  void load(const at::Tensor& state) {
    if (state.dim() != 2 || state.size(1) != static_cast<std::int64_t>(columns_.size())) {
      raise<IoError>("the checkpoint holds curves ", state.sizes(), ", this version writes ",
                     columns_.size(), " columns: it cannot go on with it; use --overwrite");
    }
    const auto flat = state.to(at::kDouble).contiguous().view(-1);
    rows_.assign(flat.const_data_ptr<double>(), flat.const_data_ptr<double>() + flat.numel());
  }

  /// Writes every column as `group`/<name> [arm, seed, step].
  void write(PartWriter& part, const std::string& group, const std::string& step_name,
             std::int64_t arm, std::int64_t seed, std::vector<std::int64_t> shape) const {
    const auto table = state();
    for (std::size_t c = 0; c < columns_.size(); ++c) {
      part.add({group + "/" + columns_[c].name,
                {arm, seed, 0},
                shape,
                {"arm", "seed", step_name},
                {{"unit", columns_[c].unit}, {"meaning", columns_[c].meaning}}},
               table.select(1, static_cast<std::int64_t>(c)).contiguous());
    }
  }

 private:
  std::vector<Column> columns_;
  std::vector<double> rows_;
};

}  // namespace svi
