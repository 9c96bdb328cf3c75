#pragma once

#include <cstdint>

#include "svi/pretrained/memory_plan.hpp"

namespace svi {

/// Numbers in the networks of a request.
struct WeightCounts {
  std::int64_t block_linear = 0;  // matrices of one block of the transformer
  std::int64_t block_other = 0;   // its biases, norms and modulation
  std::int64_t blocks = 0;
  std::int64_t around = 0;  // outside of the blocks
  std::int64_t largest_linear = 0;
  std::int64_t vae = 0, text_encoder = 0, image_encoder = 0;

  std::int64_t dit() const { return blocks * (block_linear + block_other) + around; }
};

WeightCounts count_weights(const MemoryRequest& request);

/// Bytes of the transformer's weights where they are computed with, and those read from files.
struct DitBytes {
  std::int64_t device = 0, mapped = 0;
};

DitBytes dit_weights(const MemoryRequest& request, const WeightCounts& counts);

}  // namespace svi
