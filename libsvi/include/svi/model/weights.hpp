#pragma once

#include <string>
#include <vector>

#include "svi/core/export.hpp"
#include "svi/tensor/named_tensors.hpp"

namespace svi {

/// What happened to each name when weights were loaded into a model.
struct SVI_EXPORT LoadReport {
  std::vector<std::string> loaded;      // in both, with equal shapes
  std::vector<std::string> missing;     // the model wants it, the weights lack it
  std::vector<std::string> unexpected;  // the weights have it, the model has no such name
  std::vector<std::string> mismatched;  // in both, shapes differ: "name: model [..], weights [..]"

  /// True if every name of both sides found its partner with an equal shape.
  bool complete() const { return missing.empty() && unexpected.empty() && mismatched.empty(); }
  /// A few lines for people: counts, then the first names of each list that is not empty.
  std::string text() const;
};

/// Compares names and shapes; touches no data.
SVI_EXPORT LoadReport match(const NamedTensors& parameters, const NamedTensors& weights);

/// Copies weights into parameters of the same name, converting dtype and device.
///
/// Throws IoError that names `origin` (the file, as the user knows it) and every name that is
/// missing, unexpected or of another shape; nothing has been copied then. `allow_missing` lets
/// names of the model keep what they hold.
SVI_EXPORT LoadReport load_strict(const NamedTensors& parameters, const NamedTensors& weights,
                                  const std::string& origin, bool allow_missing = false);

}  // namespace svi
