#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "svi/core/export.hpp"
#include "svi/io/result_file.hpp"

namespace svi {

/// The dimensions of a run's results, each with the values along it: "arm", "seed", "scene", ...
class SVI_EXPORT Axes {
 public:
  /// Adds one; of two with one name the longer one stays, for arms may differ in length.
  void add(ResultScale axis);

  const std::vector<ResultScale>& all() const { return axes_; }  // in the order they were added
  bool contains(const std::string& name) const;
  std::int64_t length(const std::string& name) const;  // throws Error if there is none
  /// The lengths of several, as the shape of a dataset.
  std::vector<std::int64_t> lengths(const std::vector<std::string>& names) const;

 private:
  std::vector<ResultScale> axes_;
};

/// 0 .. count - 1 along an axis.
SVI_EXPORT ResultScale counted_axis(const std::string& name, std::int64_t count);

}  // namespace svi
