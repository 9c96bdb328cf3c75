#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "svi/core/export.hpp"
#include "svi/tensor/named_tensors.hpp"

namespace svi {

/// Weights out of one file or of several that belong together, memory-mapped: opening reads headers
/// only, tensors share the mapping and keep it alive, in their stored dtype, on the CPU.
struct SVI_EXPORT WeightFiles {
  std::vector<std::filesystem::path> files;     // in order
  std::string container;                        // "safetensors" or "pth"
  NamedTensors tensors;                         // in the order of the files and of their headers
  std::vector<std::string> ignored;             // values of a .pth that are no tensors
  std::map<std::string, std::string> metadata;  // free text of safetensors files

  /// Stored bytes of all tensors.
  std::int64_t bytes() const;

  /// Opens what `path` names:
  ///   - a .safetensors file; a .pth, .pt, .bin or .ckpt file of torch.save, whose pickle is read
  ///   by
  ///     a reader that can build tensors and dicts and nothing else;
  ///   - one shard of a set, NAME-00002-of-00007.safetensors: the whole set;
  ///   - an index NAME.safetensors.index.json (or .bin.index.json), whose "weight_map" tells which
  ///     shard holds what;
  ///   - a folder that holds exactly one of these.
  /// Throws IoError naming the file: a missing shard, a name in two shards, anything damaged or not
  /// allowed.
  static WeightFiles open(const std::filesystem::path& path);
};

/// The tensors alone.
SVI_EXPORT NamedTensors open_weights(const std::filesystem::path& path);

/// A .pth file in memory, for tests of its reader. Throws IoError naming `name`.
SVI_EXPORT NamedTensors parse_pth_weights(std::string_view bytes, const std::string& name);

/// Whether the ending of a file's name is one of those that `WeightFiles::open` takes.
SVI_EXPORT bool is_weight_file(const std::filesystem::path& path);

}  // namespace svi
