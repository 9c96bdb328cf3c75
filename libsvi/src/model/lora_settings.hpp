#pragma once

#include <optional>
#include <string>

#include "svi/io/weight_files.hpp"

namespace svi {

/// What stands beside an adapter's tensors about the strength of layers that tell no alpha.
struct LoraSettings {
  double alpha = 1;
  bool by_root = false;  // scale alpha / sqrt(rank), PEFT's use_rslora, instead of alpha / rank
  std::string origin;    // where it was found, for people
};

/// Looks into the metadata (`alpha` of files written here, `lora_adapter_metadata` of diffusers),
/// then into PEFT's adapter_config.json beside the file. Nothing where none of them is there.
/// Throws IoError naming the file for settings that are damaged or that svi does not read.
std::optional<LoraSettings> lora_settings(const WeightFiles& files, const std::string& path);

/// A text that is one finite number as a whole.
std::optional<double> finite_number(std::string_view text);

}  // namespace svi
