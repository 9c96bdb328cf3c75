#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "svi/core/export.hpp"
#include "svi/tensor/named_tensors.hpp"

namespace svi {

/// Numbers of films on disk, by what they were computed from: a film that a metric has measured
/// once need not be measured again. Several processes may use one folder at a time.
class SVI_EXPORT ScoreCache {
 public:
  /// An empty folder name keeps and finds nothing.
  explicit ScoreCache(std::filesystem::path folder) : folder_(std::move(folder)) {}

  /// The numbers kept under a key, which is any text that tells all they depend on. A damaged file
  /// counts as absent.
  std::optional<NamedTensors> find(const std::string& key) const;
  /// Keeps them; throws IoError where the folder cannot be written to.
  void keep(const std::string& key, const NamedTensors& numbers) const;

 private:
  std::filesystem::path path_of(const std::string& key) const;

  std::filesystem::path folder_;
};

/// Where programs keep scores of their user: `svi/scores` in `XDG_CACHE_HOME`, or in `~/.cache`.
/// Empty where there is no home.
SVI_EXPORT std::filesystem::path user_score_folder();

}  // namespace svi
