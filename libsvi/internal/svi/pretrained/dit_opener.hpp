#pragma once

#include <memory>
#include <string>
#include <vector>

#include "svi/core/export.hpp"
#include "svi/model/lora_files.hpp"
#include "svi/model/wan/dit.hpp"
#include "svi/pretrained/compute_type.hpp"
#include "svi/pretrained/model_folder.hpp"
#include "svi/pretrained/pretrained_config.hpp"

namespace svi {

/// Opens the transformer that a [model] section names, for programs and experiments alike: its
/// adapters, its precision, where its blocks are, 8 bits.
class SVI_EXPORT DitOpener {
 public:
  /// Reads headers; `heads` as open_dit_file has it. Throws IoError or ConfigError naming the file
  /// of weights, or [model] lora and its file, that does not fit.
  DitOpener(PretrainedConfig config, ModelFiles files, std::int64_t heads, at::Device device);

  const WanDitConfig& sizes() const { return sizes_; }             // of the transformer
  const NamedTensors& weights() const { return weights_; }         // mapped, as stored
  at::ScalarType stored_dtype() const { return stored_dtype_; }    // of its matrices
  std::int64_t stored_bytes() const { return stored_bytes_; }      // of all weights
  at::ScalarType compute() const { return compute_.dtype; }        // of films
  const std::vector<LoraChoice>& loras() const { return loras_; }  // in the order of merging
  bool merges() const { return config_.resident_blocks < 0; }      // else adapters stay apart

  /// The transformer for films: with the adapters of [model], then `more`; merged, or kept beside
  /// the weights where blocks do not stay. Placed and rounded to 8 bits as [model] says. The mapped
  /// weights are its own from then on.
  std::unique_ptr<WanDit> for_films(const std::vector<WeightedLora>& more = {});
  /// The same for training: the adapters of [model] merged, everything on the device in one dtype.
  std::unique_ptr<WanDit> for_training(at::ScalarType dtype);

 private:
  void check_lora(const std::string& text);
  std::unique_ptr<WanDit> adopt();
  std::vector<WeightedLora> read_loras() const;
  void add(WanDit& dit, const std::vector<WeightedLora>& loras, bool merge) const;

  PretrainedConfig config_;
  ModelFiles files_;
  at::Device device_;
  NamedTensors weights_;
  WanDitConfig sizes_;
  std::int64_t stored_bytes_ = 0;
  at::ScalarType stored_dtype_ = at::kFloat;
  ComputeChoice compute_;
  std::vector<LoraChoice> loras_;
};

}  // namespace svi
