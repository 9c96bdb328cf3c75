#include <ATen/ATen.h>

#include "fuzz.hpp"
#include "svi/io/weight_files.hpp"

/// Every tensor that a checkpoint promises can be read to its last element.
void fuzz(std::string_view bytes) {
  for (const auto& [name, tensor] : svi::parse_pth_weights(bytes, "fuzzed.pth")) {
    constexpr std::int64_t kMost = 1 << 20;  // a stride of 0 makes much out of little
    if (tensor.numel() <= kMost) static_cast<void>(tensor.clone());
  }
}
