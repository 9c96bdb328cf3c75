#pragma once

#include <string>
#include <vector>

#include "svi/core/export.hpp"

namespace svi {

/// What makes room in a full bin.
enum class Eviction {
  random,   // any entry, uniformly
  oldest,   // the entry stored first
  nearest,  // the entry most like the new one (L2 over residuals), so that the bin stays diverse
};
SVI_EXPORT std::vector<std::string> enum_names(Eviction);

/// How residuals are kept.
enum class StorageType { bf16, fp32 };
SVI_EXPORT std::vector<std::string> enum_names(StorageType);

/// Which mean a recalled error loses.
enum class BankMean {
  none,
  bin,  // the mean error of its bin, value by value, at the end asked for
};
SVI_EXPORT std::vector<std::string> enum_names(BankMean);

}  // namespace svi
