#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "svi/core/export.hpp"
#include "svi/model/wan/dit.hpp"
#include "svi/pretrained/model_folder.hpp"
#include "svi/tensor/named_tensors.hpp"

namespace svi {

/// A transformer's weights by their official names, memory-mapped, and its sizes.
struct DitFile {
  NamedTensors weights;  // by official names
  WanDitConfig config;   // the sizes that their shapes tell
};

/// Reads the headers of a transformer's file, set of shards or folder and compares names and shapes
/// with the model's. `heads` 0 means dim / 128; `copy` chooses where a file holds several; without
/// `values`, scaled 8-bit weights have shapes only. Throws IoError naming the file.
SVI_EXPORT DitFile open_dit_file(const std::filesystem::path& path, ModelLayout layout,
                                 std::int64_t heads, const std::string& copy = {},
                                 bool values = true);

}  // namespace svi
