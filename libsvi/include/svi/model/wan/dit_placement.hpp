#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <string>

#include "svi/core/export.hpp"

namespace svi {

/// The form in which blocks that stay on the device are kept there.
enum class WeightStorage {
  compute,  // converted once: fastest
  stored,   // as the file has them (fp8, bf16, ...), converted each time they are used: smallest
};

/// Where a transformer's weights are kept and what it computes in. The numbers it predicts depend
/// on `device` and `compute` alone.
struct SVI_EXPORT DitPlacement {
  at::Device device = at::Device(at::kCPU);  // of the computation
  at::ScalarType compute = at::kFloat;       // fp32, bf16, fp16 or fp64
  /// Blocks that stay on the device, counted from the first; -1 for all. The others stay where they
  /// are on the CPU (memory-mapped files remain so) and are brought as they are needed, one ahead
  /// of use by a thread of its own: at most two of them are on the device at any time.
  std::int64_t resident_blocks = -1;
  WeightStorage storage = WeightStorage::compute;  // of the blocks that stay
  /// Whether pages of mapped files are given back after each use of a block that does not stay. For
  /// models larger than the memory; slower where it would have been large enough.
  bool release_pages = false;
};

/// How block weights are rounded to 8 bits: symmetric integers with one scale per output channel
/// and `group` inputs.
struct SVI_EXPORT QuantisationOptions {
  std::int64_t group = 128;  // inputs per scale; 0, or not a divisor of the width: a whole row
  double limit = 0.03;       // largest relative error of the velocity that is accepted
  bool allow = false;        // keep the quantised weights whatever the error
  std::uint64_t seed = 0;    // of the inputs of the check
};

/// What quantisation did to the weights, and to the velocity predicted for random inputs.
struct SVI_EXPORT QuantisationReport {
  std::int64_t layers = 0;                         // that were quantised
  std::int64_t bytes_before = 0, bytes_after = 0;  // of the layers' weights
  double velocity_error = 0;                       // |v8 - v| / |v|, root of mean squares
  std::string worst_layer;                         // with the largest error
  double worst_weight_error = 0;                   // |W8 - W| / |W| of that layer

  /// One line for people.
  std::string text() const;
};

}  // namespace svi
