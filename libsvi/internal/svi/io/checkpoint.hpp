#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "svi/core/export.hpp"
#include "svi/tensor/named_tensors.hpp"

namespace svi {

/// Everything a stopped run needs to go on as if it had not stopped.
struct Checkpoint {
  std::int64_t step = 0;                        // steps done
  NamedTensors tensors;                         // the state by name
  std::map<std::string, std::string> metadata;  // counters and settings, as text
};

/// The checkpoints of one job: safetensors files `step-000001200.safetensors` in a folder of their
/// own.
///
/// Each appears complete or not at all, with a checksum of what it holds. The newest and the one
/// before it are kept. One rank writes.
class SVI_EXPORT CheckpointFolder {
 public:
  /// Touches nothing yet.
  explicit CheckpointFolder(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// Writes a checkpoint, then removes those older than the one before it. Throws IoError.
  void save(const Checkpoint& checkpoint) const;
  /// The newest that is whole; one that cannot be read or does not match its checksum is passed
  /// over with a warning. Nothing if there is none.
  std::optional<Checkpoint> load_newest() const;
  /// Removes all checkpoints, when the job is finished.
  void clear() const;

 private:
  std::filesystem::path folder_;
};

}  // namespace svi
